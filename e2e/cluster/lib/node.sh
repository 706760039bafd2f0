# shellcheck shell=bash
# A node: containerd, kubelet and kube-proxy in a machine of its own.

NODE_PARTS=(containerd kubelet kube-proxy)

node_configure() {
  local node=$1 dir pki
  dir=$(machine_dir "$node")/etc
  pki=$dir/kubernetes/pki
  mkdir -p "$dir/containerd" "$dir/cni/net.d" "$dir/kubernetes/manifests" "$pki"
  cp "$PKI/ca.crt" "$pki/ca.crt"
  cp "$PKI/$node.crt" "$pki/kubelet.crt"
  cp "$PKI/$node.key" "$pki/kubelet.key"
  kubeconfig_write "$dir/kubernetes/kubelet.kubeconfig" "$node"
  kubeconfig_write "$dir/kubernetes/kube-proxy.kubeconfig" kube-proxy
  registry_configure_node "$dir/containerd/certs.d"
  containerd_config >"$dir/containerd/config.toml"
  cni_config "$(node_pod_subnet "$node")" >"$dir/cni/net.d/10-pratique.conflist"
  kubelet_config "$node" >"$dir/kubernetes/kubelet.yaml"
}

# restrict_oom_score_adj: without CAP_SYS_RESOURCE (a container, a small virtual machine) runc may not lower the score,
# and dies. The plugin `opt` wants to write to the host's /opt.
containerd_config() {
  cat <<EOF
version = 2
disabled_plugins = ["io.containerd.internal.v1.opt"]

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$PAUSE_IMAGE"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/run/pratique/deb/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
EOF
}

# Pods are routed, not bridged (ptp): a Service whose endpoint is on the same node then needs no br_netfilter on the
# host. Addresses are remembered in /run, so that those of pods lost with a restart of the node are free again.
cni_config() {
  cat <<EOF
{
  "cniVersion": "0.4.0",
  "name": "pratique",
  "plugins": [
    {
      "type": "ptp",
      "mtu": 1500,
      "ipam": {
        "type": "host-local",
        "dataDir": "/run/cni/addresses",
        "ranges": [[{"subnet": "$1"}]],
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
EOF
}

# No eviction and no image collection: a full disk of the host is no business of the tests.
kubelet_config() {
  cat <<EOF
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /$CGROUP_PARENT/$1
failSwapOn: false
localStorageCapacityIsolation: false
evictionHard: {memory.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%", imagefs.inodesFree: "0%"}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
serializeImagePulls: false
syncFrequency: 5s
volumePluginDir: /var/lib/kubelet/volume-plugins
staticPodPath: /etc/kubernetes/manifests
clusterDomain: $CLUSTER_DOMAIN
clusterDNS: [$DNS_SERVICE_IP]
tlsCertFile: /etc/kubernetes/pki/kubelet.crt
tlsPrivateKeyFile: /etc/kubernetes/pki/kubelet.key
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: /etc/kubernetes/pki/ca.crt}
authorization: {mode: Webhook}
EOF
}

node_start() { start_containerd "$1" && start_kube-proxy "$1" && start_kubelet "$1"; }

start_containerd() { part_start "$1" containerd containerd --config=/etc/containerd/config.toml; }
containerd_is_ready() { machine_exec "$1" ctr --connect-timeout=2s version; }

start_kubelet() {
  part_start "$1" kubelet kubelet --config=/etc/kubernetes/kubelet.yaml --kubeconfig=/etc/kubernetes/kubelet.kubeconfig \
    --hostname-override="$1" --node-ip="$(node_ip "$1")"
}

# conntrack-max-per-core: that limit belongs to the whole kernel.
start_kube-proxy() {
  part_start "$1" kube-proxy kube-proxy --kubeconfig=/etc/kubernetes/kube-proxy.kubeconfig --hostname-override="$1" \
    --proxy-mode=nftables --cluster-cidr="$POD_CIDR" --conntrack-max-per-core=0
}

# Ready by the word of the kubelet that runs now: for a while the API server remembers that of one which has ended.
node_is_ready() {
  local status heartbeat started
  read -r status heartbeat < <(kubectl_admin --request-timeout=2s get node "$1" \
    -o 'jsonpath={range .status.conditions[?(@.type=="Ready")]}{.status} {.lastHeartbeatTime}{end}')
  started=$(part_started "$1" kubelet)
  [[ $status == True && -n $started ]] && (($(date -d "$heartbeat" +%s) >= started))
}

node_wait() {
  part_wait "$1" containerd 30 containerd_is_ready "$1"
  part_wait "$1" kubelet 60 node_is_ready "$1"
  part_is_up "$1" kube-proxy || part_failed "$1" kube-proxy "has ended"
}
