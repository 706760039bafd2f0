# shellcheck shell=bash
# CoreDNS on every node, behind the Service that pods ask. Each node asks its own, so that the loss of one node takes
# no other's names away. Names outside the cluster do not exist: nothing leads there.

dns_apply() {
  sed -e "s#{{IMAGE}}#$COREDNS_IMAGE#" -e "s#{{SERVICE_IP}}#$DNS_SERVICE_IP#" -e "s#{{DOMAIN}}#$CLUSTER_DOMAIN#" \
    -e "s#{{REGISTRY_IP}}#$CONTROL_IP#" -e "s#{{REGISTRY_NAME}}#${REGISTRY_NAME%:*}#" "$CLUSTER_DIR/manifests/coredns.yaml" |
    kubectl_admin apply --filename - >>"$STATE/logs/control/dns.log" 2>&1 ||
    die "the cluster's DNS could not be applied; the log is $STATE/logs/control/dns.log."
}

# Each pod is asked itself: after a restart the API server still counts as ready what ran before it.
dns_is_ready() {
  local pods pod
  mapfile -t pods < <(kubectl_admin --request-timeout=2s -n kube-system get pods --selector k8s-app=kube-dns \
    --field-selector status.phase=Running -o name)
  ((${#pods[@]} == $(node_names | wc -l))) || return 1
  for pod in "${pods[@]}"; do
    kubectl_admin --request-timeout=2s get --raw "/api/v1/namespaces/kube-system/pods/${pod#pod/}:8181/proxy/ready" || return 1
  done
}

dns_wait() {
  wait_until 60 dns_is_ready && return
  kubectl_admin -n kube-system describe daemonset,pod -l k8s-app=kube-dns | tail -40 >&2
  die "the cluster's DNS is not ready; what its pods say is above (more: kubectl -n kube-system logs ds/coredns)."
}
