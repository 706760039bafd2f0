# shellcheck shell=bash
# The images that the cluster itself needs, made here: docker archives in the cache, imported by every node.

PAUSE_IMAGE=pratique.test/pause:1
COREDNS_IMAGE=pratique.test/coredns:1
BUSYBOX_IMAGE=pratique.test/busybox:1
IMAGES=$CACHE/$TOOLS_KEY/images

images_make() {
  local name
  mkdir -p "$IMAGES"
  for name in pause coredns busybox; do
    [[ -f $IMAGES/$name.tar ]] || { say "making image $name" && "image_$name"; }
  done
}

image_pause() { image_of_program "$PAUSE_IMAGE" pause; }
image_coredns() { image_of_program "$COREDNS_IMAGE" coredns; }

# image_of_program REFERENCE PROGRAM: FROM scratch, with nothing but the program, which is its entry point.
image_of_program() {
  local root
  root=$(mktemp -d "$IMAGES/.root.XXXXXX")
  chmod 755 "$root"
  cp "$BIN/$2" "$root/$2"
  image_archive "$1" "$root" "[\"/$2\"]" >"$IMAGES/.$2.tar"
  mv "$IMAGES/.$2.tar" "$IMAGES/$2.tar"
  rm -rf "$root"
}

image_busybox() {
  local root applet
  root=$(mktemp -d "$IMAGES/.root.XXXXXX")
  chmod 755 "$root"
  mkdir -p "$root"/{bin,etc,tmp,root}
  cp "$DEB_DIR/bin/busybox" "$root/bin/busybox"
  for applet in $("$DEB_DIR/bin/busybox" --list); do [[ $applet == busybox ]] || ln -s busybox "$root/bin/$applet"; done
  echo "root:x:0:0:root:/root:/bin/sh" >"$root/etc/passwd"
  image_archive "$BUSYBOX_IMAGE" "$root" '["/bin/sh"]' >"$IMAGES/.busybox.tar"
  mv "$IMAGES/.busybox.tar" "$IMAGES/busybox.tar"
  rm -rf "$root"
}

# image_archive REFERENCE ROOT ENTRYPOINT: a docker archive of one layer on standard output; same input, same bytes.
image_archive() {
  local reference=$1 root=$2 entrypoint=$3 work
  local reproducible=(--sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner)
  work=$(mktemp -d "$IMAGES/.archive.XXXXXX")
  tar -C "$root" "${reproducible[@]}" -cf "$work/layer.tar" .
  cat >"$work/config.json" <<EOF
{"architecture":"$(dpkg --print-architecture)","os":"linux","created":"1970-01-01T00:00:00Z",
"config":{"Entrypoint":$entrypoint,"Env":["PATH=/bin"]},
"rootfs":{"type":"layers","diff_ids":["sha256:$(sha256sum <"$work/layer.tar" | cut -d' ' -f1)"]},
"history":[{"created":"1970-01-01T00:00:00Z","created_by":"pratique test cluster"}]}
EOF
  echo "[{\"Config\":\"config.json\",\"RepoTags\":[\"$reference\"],\"Layers\":[\"layer.tar\"]}]" >"$work/manifest.json"
  tar -C "$work" "${reproducible[@]}" -cf - manifest.json config.json layer.tar
  rm -rf "$work"
}

# image_load NODE ARCHIVE: docker or OCI archive, into the namespace that the kubelet uses.
image_load() { machine_exec "$1" ctr --namespace=k8s.io images import --all-platforms - <"$2"; }

# The cluster's own, unless the node has them (its /var outlives a restart). The kubelet needs `pause` for its first pod.
images_load_own() {
  local node=$1 name have
  have=$(machine_exec "$node" ctr --namespace=k8s.io images ls -q)
  for name in pause coredns busybox; do
    grep -qx "pratique.test/$name:1" <<<"$have" || image_load "$node" "$IMAGES/$name.tar" >>"$STATE/logs/$node/images.log" 2>&1 ||
      die "image $name could not be imported on $node; the log is $STATE/logs/$node/images.log."
  done
}
