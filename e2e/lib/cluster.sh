# shellcheck shell=bash
# The cluster that demo and tests run on: ours, or the one that DEMO_CONTEXT names. Source it from the repository's root.
#
#   DEMO_CONTEXT   a kubeconfig context: nothing of our own is started, and nothing of the cluster is changed but what demo and tests install
#   DEMO_REGISTRY  with it: where images are pushed so that the nodes can pull them, such as registry.example.com/team
#   DEMO_REGISTRY_INSECURE=true  that registry speaks HTTP, or shows a certificate that nobody signed

CTL=e2e/cluster/ctl

say() { printf '\n\033[1m==> %s\033[0m\n' "$*"; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Sets KUBECTL, HELM (arrays) and REGISTRY.
cluster_ready() {
  if [ -n "${DEMO_CONTEXT:-}" ]; then
    command -v kubectl >/dev/null || die "kubectl is missing; DEMO_CONTEXT needs the kubectl of your cluster"
    kubectl config get-contexts -o name | grep -Fxq -- "$DEMO_CONTEXT" ||
      die "DEMO_CONTEXT=$DEMO_CONTEXT: the kubeconfig has no such context; it has: $(kubectl config get-contexts -o name | xargs)"
    [ -n "${DEMO_REGISTRY:-}" ] ||
      die "DEMO_CONTEXT is set: set DEMO_REGISTRY too, to a registry that this machine can push to and the nodes can pull from"
    KUBECTL=(kubectl --context "$DEMO_CONTEXT")
    HELM=("$($CTL tool helm)" --kube-context "$DEMO_CONTEXT")
    REGISTRY=$DEMO_REGISTRY
    "${KUBECTL[@]}" get nodes >/dev/null || die "the cluster of context $DEMO_CONTEXT does not answer"
  else
    e2e/cluster/up
    KUBECONFIG=$($CTL kubeconfig)
    export KUBECONFIG
    KUBECTL=("$($CTL tool kubectl)")
    HELM=("$($CTL tool helm)")
    REGISTRY=registry.pratique.test:5000
  fi
  export REGISTRY
}

# push ARCHIVE-OR-LAYOUT REPOSITORY:TAG: makes it $REGISTRY/REPOSITORY:TAG
push() {
  if [ -n "${DEMO_CONTEXT:-}" ]; then
    # Indexes stay indexes, and digests what they are.
    local verify=true source=oci:$1 whole=(--all --preserve-digests)
    [ -d "$1" ] || source=docker-archive:$1 whole=()
    [ "${DEMO_REGISTRY_INSECURE:-}" != true ] || verify=false
    skopeo copy --quiet --dest-tls-verify="$verify" "${whole[@]}" "$source" "docker://$REGISTRY/$2"
  else
    $CTL push "$1" "$2"
  fi
}

workspace_version() { sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml; }

# install_pratique HELM-ARGS...: pushes the images and installs or upgrades the chart. Pods are replaced if their image's content is another.
install_pratique() {
  local version
  version=$(workspace_version)
  push target/images/operator.tar "pratique/operator:$version"
  push target/images/agent.tar "pratique/agent:$version"
  "${HELM[@]}" upgrade --install pratique charts/pratique --namespace pratique --create-namespace --wait --timeout 3m \
    --set image.registry="$REGISTRY" --set image.pullPolicy=Always \
    --set-string "operator.podAnnotations.content=$(cat target/images/operator.content)" \
    --set-string "agent.podAnnotations.content=$(cat target/images/agent.content)" "$@"
}

# wait_until SECONDS WHAT COMMAND...: until the command succeeds.
wait_until() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || die "timed out waiting until $what"
    sleep 0.5
  done
}
