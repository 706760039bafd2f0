# shellcheck shell=bash
# Everything that explains a failed run, copied to one folder.

# logs_collect FOLDER. What cannot be had (no API server) leaves its error there in place of its content.
logs_collect() {
  local target=$1 node namespace
  [[ -d $STATE/logs ]] || die "no cluster has run from $STATE: there are no logs."
  mkdir -p "$target"
  cp -R "$STATE/logs" "$target/components"
  for node in $(node_names); do
    [[ ! -d $(machine_dir "$node")/var/log/pods ]] || {
      mkdir -p "$target/pods"
      cp -R "$(machine_dir "$node")/var/log/pods" "$target/pods/$node"
    }
    ! machine_is_up "$node" || {
      collect "$target/nodes/$node-processes.txt" machine_exec "$node" ps -ef
      collect "$target/nodes/$node-images.txt" machine_exec "$node" ctr --namespace=k8s.io images ls
      collect "$target/nodes/$node-containers.txt" machine_exec "$node" ctr --namespace=k8s.io containers ls
      collect "$target/nodes/$node-nft.txt" in_net "$node" nft list ruleset
    }
  done
  local get=(kubectl_admin --request-timeout=10s get)
  collect "$target/api/events.txt" "${get[@]}" events --all-namespaces --sort-by=.metadata.creationTimestamp -o wide
  collect "$target/api/nodes.txt" kubectl_admin --request-timeout=10s describe nodes
  collect "$target/api/overview.txt" "${get[@]}" all,daemonsets,leases,endpointslices --all-namespaces -o wide
  collect "$target/api/webhooks.yaml" "${get[@]}" validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml
  collect "$target/api/pratique.yaml" "${get[@]}" pratique --all-namespaces -o yaml
  for namespace in $("${get[@]}" namespaces -o name 2>/dev/null); do
    namespace=${namespace#namespace/}
    collect "$target/api/pods-$namespace.txt" kubectl_admin --request-timeout=10s describe pods --namespace "$namespace"
  done
  say "logs are in $target"
}

collect() {
  local file=$1
  shift
  mkdir -p "$(dirname "$file")"
  ("$@") >"$file" 2>&1 || true
}
