{{- define "pratique.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "pratique.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "pratique.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: pratique
{{ include "pratique.selectorLabels" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* An image: registry/name:tag. Arguments: root context, name. */}}
{{- define "pratique.image" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $tag := default $root.Chart.AppVersion $root.Values.image.tag -}}
{{- if $root.Values.image.registry -}}
{{- printf "%s/%s:%s" (trimSuffix "/" $root.Values.image.registry) $name $tag -}}
{{- else -}}
{{- printf "%s:%s" $name $tag -}}
{{- end -}}
{{- end -}}

{{- define "pratique.runtimeSocket" -}}
{{- $sockets := dict
  "containerd" "/run/containerd/containerd.sock"
  "k3s" "/run/k3s/containerd/containerd.sock"
  "rke2" "/run/k3s/containerd/containerd.sock"
  "microk8s" "/var/snap/microk8s/common/run/containerd.sock" -}}
{{- if eq .Values.runtime.preset "custom" -}}
{{- required "runtime.custom.socket: the path of the runtime's socket is needed with runtime.preset=custom" .Values.runtime.custom.socket -}}
{{- else -}}
{{- get $sockets .Values.runtime.preset -}}
{{- end -}}
{{- end -}}

{{- define "pratique.runtimeRoot" -}}
{{- $roots := dict
  "containerd" "/var/lib/containerd"
  "k3s" "/var/lib/rancher/k3s/agent/containerd"
  "rke2" "/var/lib/rancher/rke2/agent/containerd"
  "microk8s" "/var/snap/microk8s/common/var/lib/containerd" -}}
{{- if eq .Values.runtime.preset "custom" -}}
{{- required "runtime.custom.root: the path of the runtime's state folder is needed with runtime.preset=custom" .Values.runtime.custom.root -}}
{{- else -}}
{{- get $roots .Values.runtime.preset -}}
{{- end -}}
{{- end -}}

{{/* A quantity such as 192Mi as bytes, for flags. */}}
{{- define "pratique.bytes" -}}
{{- $text := toString . -}}
{{- if hasSuffix "Gi" $text -}}{{ mul (trimSuffix "Gi" $text | int64) 1073741824 }}
{{- else if hasSuffix "Mi" $text -}}{{ mul (trimSuffix "Mi" $text | int64) 1048576 }}
{{- else if hasSuffix "Ki" $text -}}{{ mul (trimSuffix "Ki" $text | int64) 1024 }}
{{- else -}}{{ $text }}{{- end -}}
{{- end -}}

{{/* A job that runs one of the operator's subcommands as a hook. Arguments: root, name, hook, serviceAccount, args. */}}
{{- define "pratique.hookJob" -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "pratique.labels" .root | nindent 4 }}
  annotations:
    helm.sh/hook: {{ .hook }}
    helm.sh/hook-weight: "0"
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  backoffLimit: 3
  activeDeadlineSeconds: 120
  template:
    metadata:
      labels:
        {{- include "pratique.selectorLabels" .root | nindent 8 }}
        app.kubernetes.io/component: hook
    spec:
      serviceAccountName: {{ .serviceAccount }}
      restartPolicy: Never
      priorityClassName: {{ .root.Values.operator.priorityClassName }}
      {{- with .root.Values.image.pullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        seccompProfile: {type: RuntimeDefault}
      containers:
        - name: {{ .name }}
          image: {{ include "pratique.image" (list .root .root.Values.image.operator) }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          args: {{- toYaml .args | nindent 12 }}
          env:
            - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
            - {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          resources: {{- toYaml .root.Values.hooks.resources | nindent 12 }}
      {{- with .root.Values.operator.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.operator.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end -}}

{{/* Where advisories come from, as the operator's flag has it; the argument is .Values.vulnerabilities. */}}
{{- define "pratique.advisories" -}}
{{- if .offline.volume -}}
/etc/pratique/advisories{{ with .offline.path }}/{{ trimPrefix "/" . }}{{ end }}
{{- else -}}
{{- .source -}}
{{- end -}}
{{- end }}
