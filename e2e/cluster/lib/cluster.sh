# shellcheck shell=bash
# Starting and stopping the whole. Everything here may be repeated: what is there already is left as it is.

start_control() {
  registry_configure
  control_configure
  machine_start control
  network_control
  registry_start
  control_start
}

# start_node NODE: without waiting until it is Ready.
start_node() {
  node_configure "$1"
  machine_start "$1"
  network_node "$1"
  start_containerd "$1"
  part_wait "$1" containerd 30 containerd_is_ready "$1"
  images_load_own "$1"
  node_start "$1"
}

start_all() {
  local node
  start_control
  for node in $(node_names); do
    say "starting $node"
    start_node "$node"
  done
  registry_wait
  control_wait
  say "control plane ready"
  dns_apply
  for node in $(node_names); do
    node_wait "$node"
    say "$node ready"
  done
  dns_wait
  say "DNS ready"
}

stop_all() {
  local machine
  for machine in $(machine_names | tac); do machine_stop "$machine"; done
  network_host_remove
}

# Needs nothing of the state but its path: it may be half there or deleted under a running cluster. The number of nodes
# goes first, so that a run which is interrupted here is not taken for a cluster that stopped.
remove_all() {
  local machine
  rm -f "$STATE/nodes"
  for machine in $(seq -f node%g "$MAX_NODES") control; do machine_stop "$machine"; done
  network_host_remove
  cgroup_remove_all
  ! grep -qF " $STATE/" /proc/self/mounts || die "something is mounted below $STATE: unmount it, then try again."
  rm -rf "$STATE"
}

is_healthy() {
  local node part
  [[ -s $KUBECONFIG_FILE ]] || return 1
  for part in "${CONTROL_PARTS[@]}" docker-registry; do part_is_up control "$part" || return 1; done
  for node in $(node_names); do
    for part in "${NODE_PARTS[@]}"; do part_is_up "$node" "$part" || return 1; done
    node_is_ready "$node" || return 1
  done
  registry_is_ready >/dev/null && dns_is_ready >/dev/null
}

# Whatever of this checkout's cluster is still on the machine, one thing a line; nothing when it is clean.
leftovers() {
  local machine
  for machine in $(seq -f node%g "$MAX_NODES") control; do
    pids_with_argument "$(starter_tag "$machine")" | sed "s/$/ of $machine/; s/^/process /"
  done
  [[ ! -e /sys/class/net/$HOST_LINK ]] || echo "link $HOST_LINK"
  ip -4 route show | grep -E "^(${LAN//./\\.}|10\\.214)\\." | sed 's/^/route /' || true
  awk -v state="$STATE" 'index($2, state "/") == 1 { print "mount " $2 }' /proc/self/mounts
  cgroup_leftovers
  [[ ! -e $STATE ]] || echo "folder $STATE"
}
