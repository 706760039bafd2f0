# shellcheck shell=bash
# What the scripts of images share.

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/pratique/bench
IMAGES=$CACHE/images
WORK=$CACHE/work
export CACHE IMAGES WORK

say() { echo "images: $*" >&2; }
die() {
  echo "images: $*" >&2
  exit 1
}

# logged COMMAND...: its output is shown if it fails.
logged() {
  mkdir -p "$WORK"
  nice "$@" >"$WORK/last-command.log" 2>&1 || {
    tail -20 "$WORK/last-command.log" >&2
    die "$1 failed; the whole output is in $WORK/last-command.log"
  }
}

prerequisites() {
  local pair missing=()
  [ "$(id -u)" -eq 0 ] || die "root file systems are made by root"
  for pair in mmdebstrap:mmdebstrap umoci:umoci skopeo:skopeo zip:zip sqlite3:sqlite3 rpmbuild:rpm db5.3_load:db5.3-util mvn:maven npm:npm go:golang cargo:cargo; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
  done
  mkdir -p "$IMAGES" "$WORK"
  if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    logged env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
  fi
}

# debian_root NAME PACKAGES: a Debian of these packages, as $WORK/NAME.base.
debian_root() {
  rm -rf "$WORK/$1.base"
  say "$1: a Debian with $2"
  # In a mount namespace: what it mounts goes with it, however it ends.
  logged unshare --mount mmdebstrap --quiet --mode=root --variant=minbase --include="$2" \
    --aptopt='APT::Install-Recommends "false"' bookworm "$WORK/$1.base"
  find "$WORK/$1.base/dev" -mindepth 1 -delete
}

# make_image NAME LAYER-FOLDER...
make_image() {
  local name=$1 layout=$WORK/$1.layout folder
  shift
  rm -rf "$layout"
  say "$name: its layers"
  logged umoci init --layout "$layout"
  logged umoci new --image "$layout:latest"
  for folder; do logged umoci insert --image "$layout:latest" "$folder" /; done
  logged umoci config --image "$layout:latest" --config.cmd /bin/sh
  logged umoci gc --layout "$layout"
  logged skopeo copy --quiet "oci:$layout:latest" "oci-archive:$IMAGES/$name.tar:latest"
  logged umoci raw unpack --image "$layout:latest" "$WORK/$name.root"
  mv "$layout" "$IMAGES/$name"
  # Last, as the sign that all is there.
  mv "$WORK/$name.root" "$IMAGES/$name.root"
}
