# shellcheck shell=bash
# Words every file here shares: paths, addresses, messages, waiting, the lock.

CLUSTER_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
REPO_DIR=$(cd "$CLUSTER_DIR/../.." && pwd -P)
STATE=$REPO_DIR/target/cluster
LOCK_FILE=$REPO_DIR/target/cluster.lock
KUBECONFIG_FILE=$STATE/kubeconfig
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/pratique/cluster-tools

# The cluster's own ranges. Nothing of the host uses them (preflight checks), nothing is translated between them.
HOST_LINK=pratique0             # the only link on the host: its end of a veth pair into the control machine's bridge
LAN=10.213.0                    # machines: /24
HOST_IP=$LAN.254
CONTROL_IP=$LAN.1
POD_CIDR=10.214.0.0/16          # node N has 10.214.N.0/24
SERVICE_CIDR=10.96.0.0/16
API_SERVICE_IP=10.96.0.1
DNS_SERVICE_IP=10.96.0.10
CLUSTER_DOMAIN=cluster.local
API_URL=https://$CONTROL_IP:6443
REGISTRY_NAME=registry.pratique.test:5000   # what pods' image references say
REGISTRY_ADDR=$CONTROL_IP:5000              # where it listens, for the host

CGROUP_PARENT=pratique
MAX_NODES=3

node_ip() { echo "$LAN.$((10 + ${1#node}))"; }
node_pod_subnet() { echo "10.214.${1#node}.0/24"; }

# Names of the nodes that this cluster was asked to have (`up` writes the number).
node_names() {
  local i count=0
  [[ -f $STATE/nodes ]] && count=$(<"$STATE/nodes")
  for ((i = 1; i <= count; i++)); do echo "node$i"; done
}

is_node() { grep -qx -- "$1" <<<"$(node_names)"; }

# --- messages -----------------------------------------------------------------------------------------------------

STARTED=$SECONDS
say() { printf '[%3ds] %s\n' $((SECONDS - STARTED)) "$*" >&2; }
die() {
  printf '\nerror: %s\n' "$*" >&2
  exit 1
}

# --- waiting ------------------------------------------------------------------------------------------------------

# wait_until SECONDS CMD...: polls CMD until it succeeds; its status says whether it did within the time.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until ("$@") >/dev/null 2>&1; do
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}

# --- one run at a time --------------------------------------------------------------------------------------------

# Held until this process ends. Processes that outlive it must not inherit the descriptor: see `detached`.
take_lock() {
  mkdir -p "$(dirname "$LOCK_FILE")"
  exec 9>>"$LOCK_FILE"
  flock --nonblock 9 ||
    die "another run of e2e/cluster works on $STATE just now. Wait until it has ended, or end it, then try again."
  # Ctrl-C ends the run even while it waits for a program that heeds the signal in its own way.
  trap interrupted INT TERM
}

# What is half done stays: `up` goes on from it, `down` removes it.
interrupted() {
  printf '\ninterrupted: go on with e2e/cluster/up, or remove it with e2e/cluster/down\n' >&2
  exit 130
}

# Runs CMD without the lock, so that a daemon does not hold it for ever.
detached() { "$@" 9>&-; }

require_root() {
  [[ $(uname -s) == Linux ]] ||
    die "the test cluster needs Linux: it is made of namespaces and cgroups. Use a Linux machine or DEMO_CONTEXT=<kubeconfig context>."
  [[ $EUID == 0 ]] ||
    die "the test cluster needs root, to make namespaces, cgroups and links. Run it with sudo, or as root in a virtual machine."
}

kubectl_admin() { kubectl --kubeconfig "$KUBECONFIG_FILE" "$@"; }
