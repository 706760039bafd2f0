# shellcheck shell=bash
# What must be true before anything on the machine is changed. Every failure says what to do.

# Seen: two nodes with the images of all the tests take 0.7 GB; the tools 1 GB, and 5.4 GB in Go's caches while they are built.
CLUSTER_GB=2
TOOLS_GB=9

preflight() {
  require_root
  preflight_nodes
  preflight_packages
  tools_built || preflight_go
  preflight_disk
  preflight_other_cluster
  preflight_addresses
  preflight_cgroups
  preflight_kernel
}

preflight_nodes() {
  [[ $NODES =~ ^[1-9]$ ]] && ((NODES <= MAX_NODES)) ||
    die "NODES=$NODES: a number from 1 to $MAX_NODES is expected."
}

preflight_packages() {
  [[ -z $(missing_packages) && -d $DEB_DIR ]] && return
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
    die "missing: $(missing_packages | xargs) ${UNPACKED_PACKAGES[*]}.
They are installed by apt-get, which this machine lacks: use a Debian or Ubuntu machine, or DEMO_CONTEXT=<kubeconfig context>."
}

preflight_go() {
  local need have
  need=$(sed -n 's/^go //p' "$TOOLS_DIR"/*/go.mod | sort -V | tail -1)
  command -v go >/dev/null ||
    die "go is missing: Kubernetes is built from source. Install Go $need or newer from https://go.dev/dl and put it on PATH."
  have=$(cd "$TOOLS_DIR/helm" && go env GOVERSION) || die "\`go env GOVERSION\` failed. Install Go $need or newer."
  have=${have#go}
  [[ $(printf '%s\n' "$need" "$have" | sort -V | head -1) == "$need" ]] ||
    die "Go $have is too old: $need or newer is needed. Install it from https://go.dev/dl, or set GOTOOLCHAIN=auto."
}

preflight_disk() {
  disk_has "$CLUSTER_GB" "$REPO_DIR" "the nodes' images lie under target/cluster"
  tools_built || disk_has "$TOOLS_GB" "$CACHE" "the cluster's tools are built there, once"
}

# disk_has GB FOLDER WHY: the folder need not exist yet.
disk_has() {
  local dir=$2 free
  until [[ -d $dir ]]; do dir=$(dirname "$dir"); done
  free=$(df --output=avail -BG "$dir" | tail -1 | tr -dc 0-9)
  ((free >= $1)) || die "only $free GB are free at $dir, $1 are needed ($3). Free some."
}

# A link of our name that belongs to another checkout's cluster, told by the alias that network.sh gives it.
preflight_other_cluster() {
  local owner=/sys/class/net/$HOST_LINK/ifalias
  [[ ! -e $owner || $(<"$owner") == "$STATE" ]] ||
    die "a test cluster of another checkout is up: $(<"$owner"). End it with its own e2e/cluster/down first."
}

# No port of the host is used (the control plane has a network of its own); its address ranges must be free instead.
preflight_addresses() {
  command -v ip >/dev/null || return 0
  [[ -e /sys/class/net/$HOST_LINK ]] && return
  local range taken
  for range in "$LAN.0/24" "$POD_CIDR"; do
    taken=$(ip -4 route show root "$range"; ip -4 route show match "$range" | grep -v '^default' || true)
    [[ -z $taken ]] ||
      die "the addresses $range are taken on this machine by «$taken». Remove that route, or change the ranges in e2e/cluster/lib/common.sh."
  done
}

preflight_cgroups() {
  local controller
  for controller in cpu memory pids; do
    cgroup_has "$controller" ||
      die "the kernel's cgroup controller «$controller» is not available under /sys/fs/cgroup. Start the kernel with it enabled (on a Raspberry Pi: cgroup_enable=memory)."
  done
}

# Each feature is tried in namespaces that end with the trial. What tries it may not be installed yet: `up` calls this
# again when the packages are there.
preflight_kernel() {
  mkdir -p "$REPO_DIR/target"
  local try
  try=$(mktemp -d "$REPO_DIR/target/preflight.XXXXXX")
  mkdir "$try/lower" "$try/upper" "$try/work" "$try/merged"
  if ! unshare --mount mount -t overlay -o "lowerdir=$try/lower,upperdir=$try/upper,workdir=$try/work" none "$try/merged"; then
    rm -rf "$try"
    die "an overlay mount failed under $REPO_DIR/target: the kernel lacks overlayfs, or the folder's own file system is an overlay (a container's). Use a checkout on a disk or a volume."
  fi
  rm -rf "$try"
  if command -v ip >/dev/null; then
    unshare --net ip link add name probe0 type veth peer name probe1 ||
      die "a veth pair could not be made: load the kernel module «veth» (modprobe veth)."
    unshare --net ip link add name probe0 type bridge ||
      die "a bridge could not be made: load the kernel module «bridge» (modprobe bridge)."
  fi
  if command -v nft >/dev/null; then
    unshare --net nft add table ip pratique ||
      die "nftables do not work: load the kernel module «nf_tables» (modprobe nf_tables)."
  fi
}
