# shellcheck shell=bash
# etcd, API server, controller manager and scheduler, in the control machine.

CONTROL_PARTS=(etcd kube-apiserver kube-controller-manager kube-scheduler)

control_configure() {
  local dir file
  dir=$(machine_dir control)/etc/kubernetes
  mkdir -p "$dir/pki"
  for file in ca.crt ca.key sa.key sa.pub apiserver.crt apiserver.key apiserver-kubelet-client.crt apiserver-kubelet-client.key; do
    cp "$PKI/$file" "$dir/pki/$file"
  done
  kubeconfig_write "$dir/controller-manager.kubeconfig" controller-manager
  kubeconfig_write "$dir/scheduler.kubeconfig" scheduler
  kubeconfig_write "$KUBECONFIG_FILE" admin
}

control_start() {
  local part
  for part in "${CONTROL_PARTS[@]}"; do "start_$part"; done
}

control_wait() {
  part_wait control etcd 20 etcd_is_ready
  part_wait control kube-apiserver 60 api_is_ready
  part_wait control kube-controller-manager 20 control_answers https://127.0.0.1:10257/healthz
  part_wait control kube-scheduler 20 control_answers https://127.0.0.1:10259/healthz
}

# In reverse, so that none complains of the loss of what it needs.
control_stop() {
  local i
  for ((i = ${#CONTROL_PARTS[@]} - 1; i >= 0; i--)); do part_stop control "${CONTROL_PARTS[i]}"; done
}

control_answers() { machine_exec control curl --silent --fail --insecure --max-time 2 "$1"; }
etcd_is_ready() { control_answers http://127.0.0.1:2379/health; }
api_is_ready() { kubectl_admin --request-timeout=2s get --raw /readyz; }

# The data outlive the process, not a crash of the host: nothing is worth an fsync here.
start_etcd() {
  part_start control etcd etcd --data-dir=/var/lib/etcd --unsafe-no-fsync \
    --listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379 \
    --listen-peer-urls=http://127.0.0.1:2380
}

# Aggregator routing sends webhook calls straight to a Service's endpoints: kube-proxy does not run beside the API server.
start_kube-apiserver() {
  local pki=/etc/kubernetes/pki
  part_start control kube-apiserver kube-apiserver \
    --advertise-address="$CONTROL_IP" --secure-port=6443 \
    --etcd-servers=http://127.0.0.1:2379 \
    --service-cluster-ip-range="$SERVICE_CIDR" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --allow-privileged=true \
    --enable-aggregator-routing=true \
    --client-ca-file=$pki/ca.crt --tls-cert-file=$pki/apiserver.crt --tls-private-key-file=$pki/apiserver.key \
    --kubelet-certificate-authority=$pki/ca.crt --kubelet-preferred-address-types=InternalIP \
    --kubelet-client-certificate=$pki/apiserver-kubelet-client.crt --kubelet-client-key=$pki/apiserver-kubelet-client.key \
    --service-account-issuer="https://kubernetes.default.svc.$CLUSTER_DOMAIN" \
    --service-account-key-file=$pki/sa.pub --service-account-signing-key-file=$pki/sa.key \
    --shutdown-watch-termination-grace-period=1s \
    --event-ttl=24h
}

# Neither elects a leader: each is the only one, and would end itself when the API server is restarted.
start_kube-controller-manager() {
  local pki=/etc/kubernetes/pki
  part_start control kube-controller-manager kube-controller-manager \
    --kubeconfig=/etc/kubernetes/controller-manager.kubeconfig --leader-elect=false --bind-address=127.0.0.1 \
    --use-service-account-credentials=true --root-ca-file=$pki/ca.crt --service-account-private-key-file=$pki/sa.key \
    --cluster-signing-cert-file=$pki/ca.crt --cluster-signing-key-file=$pki/ca.key
}

start_kube-scheduler() {
  part_start control kube-scheduler kube-scheduler \
    --kubeconfig=/etc/kubernetes/scheduler.kubeconfig --leader-elect=false --bind-address=127.0.0.1
}
