# shellcheck shell=bash
# The programs the cluster is made of: Debian packages, Go programs built from pinned sources, one C program.

TOOLS_DIR=$CLUSTER_DIR/tools
GO_PROGRAMS=(kube-apiserver kubelet kube-controller-manager kube-scheduler kube-proxy kubectl etcd coredns helm)

# What decides the programs' content names the folder they lie in, so a checkout of another version finds its own.
TOOLS_KEY=$(cat "$TOOLS_DIR"/*/go.mod "$TOOLS_DIR"/*/go.sum "$TOOLS_DIR"/*/*.go "$CLUSTER_DIR/pause.c" | sha256sum | cut -c1-16)
BIN=$CACHE/$TOOLS_KEY/bin
TOOLS_LOG=$CACHE/last-command.log # what the last apt-get, go or gcc said
DEB_DIR=$CACHE/deb-$(. /etc/os-release && echo "$ID-$VERSION_ID")

tools_built() {
  local program
  for program in "${GO_PROGRAMS[@]}" pause; do [[ -x $BIN/$program ]] || return 1; done
}

# --- Debian packages ----------------------------------------------------------------------------------------------

# command:package, for the commands that the host itself runs.
HOST_COMMANDS=(ip:iproute2 nft:nftables iptables:iptables skopeo:skopeo openssl:openssl curl:curl gcc:gcc)

missing_packages() {
  local pair
  for pair in "${HOST_COMMANDS[@]}"; do
    command -v "${pair%%:*}" >/dev/null || echo "${pair#*:}"
  done
  [[ -n $(gcc -print-file-name=libc.a 2>/dev/null | grep /) ]] || echo libc6-dev
}

# Packages that bring a service or exclude another (Docker's containerd.io, the other busybox). Their files are taken out
# of the package and laid into the cache: nothing is installed, so no service starts and none is replaced.
UNPACKED_PACKAGES=(containerd runc containernetworking-plugins docker-registry busybox-static)

install_packages() {
  local packages
  mapfile -t packages < <(missing_packages)
  if ((${#packages[@]})); then
    say "installing ${packages[*]}"
    apt_refresh
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >"$TOOLS_LOG" 2>&1 9>&- ||
      tool_failed "apt-get install ${packages[*]}"
  fi
  [[ -d $DEB_DIR ]] && return
  say "fetching ${UNPACKED_PACKAGES[*]} (unpacked into the cache, not installed)"
  local work=$DEB_DIR.new
  rm -rf "$work"
  mkdir -p "$work/packages"
  (cd "$work/packages" && apt-get download -qq "${UNPACKED_PACKAGES[@]}") >"$TOOLS_LOG" 2>&1 ||
    { apt_refresh && (cd "$work/packages" && apt-get download -qq "${UNPACKED_PACKAGES[@]}") >"$TOOLS_LOG" 2>&1; } ||
    tool_failed "apt-get download ${UNPACKED_PACKAGES[*]}"
  local package
  for package in "$work"/packages/*.deb; do dpkg-deb -x "$package" "$work"; done
  rm -rf "$work/packages"
  mv "$work" "$DEB_DIR"
}

apt_refresh() { apt-get update -qq >"$TOOLS_LOG" 2>&1 || tool_failed "apt-get update"; }

tool_failed() {
  tail -20 "$TOOLS_LOG" >&2
  die "$1 failed; the whole output is in $TOOLS_LOG."
}

# --- programs built here ------------------------------------------------------------------------------------------

go_module_version() { sed -n "s#^\(\t\|require \)$2 \(v[^ ]*\).*#\2#p" "$TOOLS_DIR/$1/go.mod" | head -1; }

# go_program NAME: the module folder and package it is built from, and its linker flags.
go_program() {
  local kubernetes helm
  kubernetes=$(go_module_version kubernetes k8s.io/kubernetes)
  case $1 in
    etcd) echo kubernetes go.etcd.io/etcd/server/v3 ;;
    coredns) echo coredns . ;;
    helm)
      helm=$(go_module_version helm helm.sh/helm/v3)
      local minor=${kubernetes#v1.} rules=helm.sh/helm/v3/pkg/lint/rules capabilities=helm.sh/helm/v3/pkg/chartutil
      minor=${minor%%.*}
      echo helm helm.sh/helm/v3/cmd/helm -X "helm.sh/helm/v3/internal/version.version=$helm" \
        -X "$rules.k8sVersionMajor=1" -X "$rules.k8sVersionMinor=$minor" \
        -X "$capabilities.k8sVersionMajor=1" -X "$capabilities.k8sVersionMinor=$minor"
      ;;
    *) echo kubernetes "k8s.io/kubernetes/cmd/$1" -X "k8s.io/component-base/version.gitVersion=$kubernetes" ;;
  esac
}

# Builds what the cache lacks. An interrupted build leaves no half program behind and goes on where it was.
build_tools() {
  local program
  for program in "${GO_PROGRAMS[@]}"; do build_go_program "$program"; done
  [[ ! -x $BIN/pause ]] || return 0
  gcc -static -Os -s -Wall -Werror -o "$BIN/.pause" "$CLUSTER_DIR/pause.c" >"$TOOLS_LOG" 2>&1 || tool_failed "compiling pause.c"
  mv "$BIN/.pause" "$BIN/pause"
}

build_go_program() {
  local program=$1 module package flags begun=$SECONDS
  [[ ! -x $BIN/$program ]] || return 0
  mkdir -p "$BIN"
  read -r module package flags < <(go_program "$program")
  say "building $program$([[ $program != kube-apiserver ]] || echo " (about 5 minutes on 2 cores; it is the first and largest of ${#GO_PROGRAMS[@]})")"
  (cd "$TOOLS_DIR/$module" &&
    CGO_ENABLED=0 GOFLAGS=-mod=readonly nice go build -trimpath -buildvcs=false -ldflags="-s -w $flags" -o "$BIN/.$program" "$package") \
    >"$TOOLS_LOG" 2>&1 || tool_failed "building $program"
  mv "$BIN/.$program" "$BIN/$program"
  say "built $program in $((SECONDS - begun)) s"
}

ensure_tools() {
  mkdir -p "$CACHE"
  install_packages
  build_tools
}
