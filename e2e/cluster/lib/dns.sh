# shellcheck shell=bash
# CoreDNS on every node, behind the Service that pods ask. Each node asks its own, so that the loss of one node takes
# no other's names away. Names outside the cluster do not exist: nothing leads there.

dns_apply() {
  sed -e "s#{{IMAGE}}#$COREDNS_IMAGE#" -e "s#{{SERVICE_IP}}#$DNS_SERVICE_IP#" -e "s#{{DOMAIN}}#$CLUSTER_DOMAIN#" \
    -e "s#{{REGISTRY_IP}}#$CONTROL_IP#" -e "s#{{REGISTRY_NAME}}#${REGISTRY_NAME%:*}#" "$CLUSTER_DIR/manifests/coredns.yaml" |
    kubectl_admin apply --filename - >>"$STATE/logs/control/dns.log" 2>&1 ||
    die "the cluster's DNS could not be applied; the log is $STATE/logs/control/dns.log."
}

dns_is_ready() {
  local desired ready
  read -r desired ready < <(kubectl_admin --request-timeout=2s -n kube-system get daemonset coredns \
    -o 'jsonpath={.status.desiredNumberScheduled} {.status.numberReady}')
  ((desired == $(node_names | wc -l) && ready == desired))
}

dns_wait() {
  wait_until 60 dns_is_ready && return
  kubectl_admin -n kube-system describe daemonset,pod -l k8s-app=kube-dns | tail -40 >&2
  die "the cluster's DNS is not ready; what its pods say is above (more: kubectl -n kube-system logs ds/coredns)."
}
