# shellcheck shell=bash
# The cluster's certificate authority, its certificates and kubeconfigs. Made once per `up`; gone with `down`.

PKI=$STATE/pki
PKI_DAYS=3650

# All or nothing: an interrupted run starts over.
pki_make() {
  [[ -d $PKI ]] && return
  local work=$PKI.new node
  rm -rf "$work"
  mkdir -p "$work"
  chmod 700 "$work"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days $PKI_DAYS -subj "/CN=pratique-test-cluster" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
    -keyout "$work/ca.key" -out "$work/ca.crt" 2>/dev/null
  openssl ecparam -name prime256v1 -genkey -noout -out "$work/sa.key"
  openssl ec -in "$work/sa.key" -pubout -out "$work/sa.pub" 2>/dev/null

  pki_issue "$work" apiserver /CN=kube-apiserver serverAuth \
    "IP:$CONTROL_IP,IP:$API_SERVICE_IP,IP:127.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.$CLUSTER_DOMAIN"
  pki_issue "$work" apiserver-kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
  pki_issue "$work" admin /O=system:masters/CN=admin clientAuth
  pki_issue "$work" controller-manager /CN=system:kube-controller-manager clientAuth
  pki_issue "$work" scheduler /CN=system:kube-scheduler clientAuth
  pki_issue "$work" kube-proxy /CN=system:kube-proxy clientAuth
  for node in $(seq -f node%g "$MAX_NODES"); do
    pki_issue "$work" "$node" "/O=system:nodes/CN=system:node:$node" clientAuth,serverAuth "IP:$(node_ip "$node"),DNS:$node"
  done
  mv "$work" "$PKI"
}

# pki_issue FOLDER NAME SUBJECT USAGE [ALTERNATIVE NAMES]
pki_issue() {
  local dir=$1 name=$2 subject=$3 usage=$4 names=${5:-}
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$subject" \
    -keyout "$dir/$name.key" -out "$dir/$name.csr" 2>/dev/null
  openssl x509 -req -in "$dir/$name.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial -days $PKI_DAYS \
    -extfile <(printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=%s\n%s\n' "$usage" "${names:+subjectAltName=$names}") \
    -out "$dir/$name.crt" 2>/dev/null
  rm "$dir/$name.csr"
}

# kubeconfig_write FILE NAME: for the certificate NAME.
kubeconfig_write() {
  local file=$1 name=$2
  mkdir -p "$(dirname "$file")"
  (
    umask 077
    cat >"$file.new" <<EOF
apiVersion: v1
kind: Config
current-context: pratique
contexts:
- name: pratique
  context: {cluster: pratique, user: $name}
clusters:
- name: pratique
  cluster:
    server: $API_URL
    certificate-authority-data: $(base64 -w0 <"$PKI/ca.crt")
users:
- name: $name
  user:
    client-certificate-data: $(base64 -w0 <"$PKI/$name.crt")
    client-key-data: $(base64 -w0 <"$PKI/$name.key")
EOF
  )
  mv "$file.new" "$file"
}
