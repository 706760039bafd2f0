# shellcheck shell=bash
# A registry in the control machine, plain HTTP. Nodes know it as registry.pratique.test:5000 (a hosts.toml says where
# that is, no name server is asked), pods by that name too (lib/dns.sh), the host by its address.

registry_configure() {
  local dir
  dir=$(machine_dir control)/etc/registry
  mkdir -p "$dir"
  cat >"$dir/config.yml" <<EOF
version: 0.1
log: {level: info}
storage:
  filesystem: {rootdirectory: /var/lib/registry}
  delete: {enabled: true}
http: {addr: ":5000"}
EOF
}

registry_configure_node() {
  mkdir -p "$1/$REGISTRY_NAME"
  cat >"$1/$REGISTRY_NAME/hosts.toml" <<EOF
server = "http://$REGISTRY_ADDR"

[host."http://$REGISTRY_ADDR"]
  capabilities = ["pull", "resolve"]
EOF
}

registry_start() { part_start control docker-registry docker-registry serve /etc/registry/config.yml; }
registry_is_ready() { curl --silent --fail --noproxy '*' --max-time 2 "http://$REGISTRY_ADDR/v2/"; }
registry_wait() { part_wait control docker-registry 20 registry_is_ready; }

# registry_push SOURCE REPOSITORY:TAG: a docker archive, an OCI archive or an OCI layout's folder. Manifests are pushed as
# they are where the source has manifests. Prints the reference for pods, with the digest.
registry_push() {
  local source=$1 name=${2#"$REGISTRY_NAME/"} transport options=()
  if [[ -d $source ]]; then
    transport=oci options=(--preserve-digests --all)
  elif tar -tf "$source" oci-layout >/dev/null 2>&1 && ! tar -tf "$source" manifest.json >/dev/null 2>&1; then
    transport=oci-archive options=(--preserve-digests --all)
  else
    transport=docker-archive
  fi
  local digest_file
  digest_file=$(mktemp)
  skopeo --insecure-policy copy --quiet --dest-tls-verify=false "${options[@]}" --digestfile="$digest_file" \
    "$transport:$source" "docker://$REGISTRY_ADDR/$name" || {
    rm -f "$digest_file"
    die "$source was not pushed to $REGISTRY_NAME/$name. Is the cluster up (e2e/cluster/up)?"
  }
  echo "$REGISTRY_NAME/$name@$(<"$digest_file")"
  rm -f "$digest_file"
}
