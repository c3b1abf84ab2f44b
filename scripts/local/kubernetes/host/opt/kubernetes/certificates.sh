# shellcheck shell=bash disable=SC2154 # the sourcing scripts set $etc, $pki and $server
# Sourced by certificates and worker-certificates.
authority=/etc/kubernetes/pki/ca
curve=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)

# certificate FILE SUBJECT [ALTERNATIVE_NAMES]: creates a key and a certificate.
certificate() {
  local file=$pki/$1
  openssl req -new "${curve[@]}" -subj "$2" -keyout "$file.key" -out "$file.csr"
  cat >"$file.ext" <<EXTENSIONS
extendedKeyUsage=serverAuth,clientAuth
keyUsage=digitalSignature,keyEncipherment
${3:+subjectAltName=$3}
EXTENSIONS
  openssl x509 -req -in "$file.csr" -out "$file.crt" -days 3650 -extfile "$file.ext" \
    -CA $authority.crt -CAkey $authority.key -CAcreateserial
  rm "$file.csr" "$file.ext"
}

# kubeconfig FILE SUBJECT [ALTERNATIVE_NAMES]: creates a kubeconfig file with a new certificate.
kubeconfig() {
  certificate "$@"
  cat >"$etc/$1.conf" <<YAML
apiVersion: v1
kind: Config
current-context: host
clusters:
  - name: host
    cluster:
      server: https://$server:6443
      certificate-authority-data: $(base64 -w0 $authority.crt)
users:
  - name: host
    user:
      client-certificate-data: $(base64 -w0 "$pki/$1.crt")
      client-key-data: $(base64 -w0 "$pki/$1.key")
contexts: [{name: host, context: {cluster: host, user: host}}]
YAML
}

# node NAME ADDRESS: creates the files of the node's kubelet and kube-proxy.
node() {
  kubeconfig proxy /CN=system:kube-proxy
  kubeconfig kubelet "/O=system:nodes/CN=system:node:$1" "DNS:$1,IP:$2"
  printf 'NODE_NAME=%s\nNODE_ADDRESS=%s\n' "$1" "$2" >"$etc/node.env"
}
