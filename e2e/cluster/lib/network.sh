# shellcheck shell=bash
# One bridge, in the control machine's network namespace. The host and every node hang on it by a veth pair. Every
# pod subnet is routed to its node; nothing is translated and nothing leads out of the cluster, so the host needs no
# rule and no forwarding, and its own filters see nothing but its own connections.

# in_net MACHINE CMD...: with the host's programs and pids, in the machine's network.
in_net() {
  local pid
  pid=$(machine_pid "$1")
  shift
  nsenter --target "$pid" --net -- "$@"
}

network_control() {
  in_net control ip link show br0 >/dev/null 2>&1 || in_net control ip link add br0 type bridge
  in_net control ip addr replace "$CONTROL_IP/24" dev br0
  in_net control ip link set br0 up
  network_routes control control

  # The host's end goes when the control machine's network goes; a moment later, which may be too late for a restart.
  if ! in_net control ip link show host0 >/dev/null 2>&1; then
    network_host_remove
    ip link add "$HOST_LINK" type veth peer name host0 netns "$(machine_pid control)"
  fi
  ip link set "$HOST_LINK" alias "$STATE"
  in_net control ip link set host0 master br0 up
  ip addr replace "$HOST_IP/24" dev "$HOST_LINK"
  ip link set "$HOST_LINK" up
  network_routes host
}

network_host_remove() {
  [[ ! -e /sys/class/net/$HOST_LINK ]] || ip link delete "$HOST_LINK" 2>/dev/null || true
}

network_node() {
  local node=$1
  if ! in_net "$node" ip link show eth0 >/dev/null 2>&1; then
    in_net control ip link delete "$node" 2>/dev/null || true
    in_net control ip link add "$node" type veth peer name eth0 netns "$(machine_pid "$node")"
  fi
  in_net control ip link set "$node" master br0 up
  in_net "$node" ip addr replace "$(node_ip "$node")/24" dev eth0
  in_net "$node" ip link set eth0 up
  in_net "$node" ip route replace default via "$CONTROL_IP"
  network_routes "$node" "$node"
}

# network_routes NAME [MACHINE]: to the pods of every node but NAME, in the network of MACHINE or the host.
network_routes() {
  local name=$1 machine=${2:-} node
  for node in $(node_names); do
    [[ $node != "$name" ]] || continue
    if [[ $machine ]]; then
      in_net "$machine" ip route replace "$(node_pod_subnet "$node")" via "$(node_ip "$node")"
    else
      ip route replace "$(node_pod_subnet "$node")" via "$(node_ip "$node")" dev "$HOST_LINK"
    fi
  done
}
