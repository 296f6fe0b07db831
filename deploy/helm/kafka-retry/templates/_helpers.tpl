{{- define "kafka-retry.fullname" -}}
{{- if contains "kafka-retry" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-kafka-retry" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "kafka-retry.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "kafka-retry.fullname" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{/* What a selector looks at. Kubernetes does not let it change, so it holds no version. Call it with (list $ "api"). */}}
{{- define "kafka-retry.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: kafka-retry
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "kafka-retry.labels" -}}
{{- $root := index . 0 -}}
{{ include "kafka-retry.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end }}

{{- define "kafka-retry.image" -}}
{{- if .Values.image.digest }}{{ printf "%s@%s" .Values.image.repository .Values.image.digest }}{{ else }}{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}{{ end }}
{{- end }}

{{/* `30s`, `1.5m`, `500ms` -> seconds, as a number. Call it with (list "NAME" "30s"). */}}
{{- define "kafka-retry.seconds" -}}
{{- $text := index . 1 | toString -}}
{{- if not (regexMatch "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$" $text) }}{{ fail (printf "%s: %q is not a duration such as 500ms, 10s, 5m, 1h" (index . 0) $text) }}{{ end -}}
{{- $number := regexFind "^[0-9.]+" $text | float64 -}}
{{- $unit := regexFind "[a-z]+$" $text -}}
{{- mulf $number (get (dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0) $unit) -}}
{{- end }}

{{/* DELIVERY_TIMEOUT and 5 s, but no more than SHUTDOWN_TIMEOUT may be: an hour. */}}
{{- define "kafka-retry.shutdownSeconds" -}}
{{- if .Values.config.SHUTDOWN_TIMEOUT }}{{ include "kafka-retry.seconds" (list "config.SHUTDOWN_TIMEOUT" .Values.config.SHUTDOWN_TIMEOUT) }}{{ else }}{{ minf 3600.0 (addf (include "kafka-retry.seconds" (list "config.DELIVERY_TIMEOUT" (.Values.config.DELIVERY_TIMEOUT | default "30s")) | float64) 5.0) }}{{ end }}
{{- end }}

{{/* Longer than SHUTDOWN_DELAY and SHUTDOWN_TIMEOUT together. */}}
{{- define "kafka-retry.apiGraceSeconds" -}}
{{- $delay := include "kafka-retry.seconds" (list "api.shutdownDelay" .Values.api.shutdownDelay) | float64 -}}
{{- addf $delay (include "kafka-retry.shutdownSeconds" . | float64) 10.0 | ceil | int -}}
{{- end }}

{{/* A worker has no SHUTDOWN_DELAY: no one calls it. */}}
{{- define "kafka-retry.workerGraceSeconds" -}}
{{- addf (include "kafka-retry.shutdownSeconds" . | float64) 10.0 | ceil | int -}}
{{- end }}

{{- define "kafka-retry.isAuthOn" -}}
{{- $auth := .Values.config.AUTH | default (ternary "on" "off" (eq (.Values.config.ENVIRONMENT | toString) "prod")) -}}
{{- if eq (toString $auth) "on" }}true{{ end -}}
{{- end }}

{{/* Names under which the API is called: of its service, of the ingress, and api.hosts. */}}
{{- define "kafka-retry.hosts" -}}
{{- $name := include "kafka-retry.fullname" . -}}
{{- $space := .Release.Namespace -}}
{{- $own := list $name (printf "%s.%s" $name $space) (printf "%s.%s.svc" $name $space) (printf "%s.%s.svc.%s" $name $space .Values.clusterDomain) -}}
{{- concat $own .Values.api.ingress.hosts .Values.api.hosts | uniq | join "," -}}
{{- end }}

{{/* What has to be right before anything is rendered. */}}
{{- define "kafka-retry.check" -}}
{{- $config := .Values.config -}}
{{- $hasAddress := or $config.REDIS_ADDR $config.REDIS_SENTINEL_ADDRS $config.REDIS_CLUSTER_ADDRS -}}
{{- if and (not .Values.redis.enabled) (not $hasAddress) }}{{ fail "\n\nWhich Redis? Set config.REDIS_ADDR=host:6379 (or config.REDIS_MODE with REDIS_SENTINEL_ADDRS or REDIS_CLUSTER_ADDRS). For a trial: redis.enabled=true" }}{{ end -}}
{{- if and .Values.redis.enabled $hasAddress }}{{ fail "\n\nredis.enabled brings a Redis of its own, and config names another one: take one of the two away" }}{{ end -}}
{{- $mode := $config.REDIS_MODE | default "standalone" -}}
{{- if and (eq $mode "standalone") (not $config.REDIS_ADDR) (or $config.REDIS_SENTINEL_ADDRS $config.REDIS_CLUSTER_ADDRS) }}{{ fail (printf "\n\nconfig names sentinels or nodes of a cluster, and nothing reads them with REDIS_MODE=%s: set config.REDIS_MODE=%s" $mode (ternary "sentinel" "cluster" (not (empty $config.REDIS_SENTINEL_ADDRS)))) }}{{ end -}}
{{- if and (include "kafka-retry.isAuthOn" .) (not .Values.secrets.existingSecret) }}{{ fail "\n\nAUTH is on (the default in prod), so a first key is needed. The chart makes no secrets. Make one, and name it in secrets.existingSecret:\n\n  kubectl create secret generic kafka-retry-secrets \\\n    --from-literal=BOOTSTRAP_API_KEY=krs_boot_$(openssl rand -hex 32) \\\n    --from-literal=SECRETS_KEYS=first:$(openssl rand -base64 32) \\\n    --from-literal=METRICS_TOKEN=$(openssl rand -hex 32)\n\nFor a trial without keys: config.ENVIRONMENT=dev" }}{{ end -}}
{{- range $name, $value := $config }}{{ if and (has $name $.Values.secrets.names) $.Values.secrets.existingSecret }}{{ fail (printf "\n\n%s stands in config and in secrets.names: take one of the two away" $name) }}{{ end }}{{ end -}}
{{- $readsMetrics := or .Values.monitoring.serviceMonitor.enabled (and .Values.worker.autoscaling.enabled .Values.worker.autoscaling.prometheus) -}}
{{- if and .Values.networkPolicy.enabled .Values.networkPolicy.apiFrom (not .Values.networkPolicy.metricsFrom) $readsMetrics }}{{ fail "\n\nnetworkPolicy.apiFrom names who reaches the port of the API, and /metrics is at that port: name the pods of Prometheus in networkPolicy.metricsFrom, too, such as\n\n  metricsFrom:\n    - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: monitoring } }" }}{{ end -}}
{{- range $part := list "api" "worker" }}{{ $scaling := (index $.Values $part).autoscaling }}{{ if and $scaling.enabled (gt (int $scaling.minReplicas) (int $scaling.maxReplicas)) }}{{ fail (printf "\n\n%s.autoscaling: minReplicas (%d) is above maxReplicas (%d)" $part (int $scaling.minReplicas) (int $scaling.maxReplicas)) }}{{ end }}{{ end -}}
{{- if and .Values.worker.autoscaling.enabled (include "kafka-retry.isAuthOn" .) (not .Values.worker.autoscaling.prometheus) (not .Values.worker.autoscaling.keySecret.name) }}{{ fail "\n\nworker.autoscaling reads GET /status, which needs a key: name a secret with one of the role `read` in worker.autoscaling.keySecret.name, or a Prometheus in worker.autoscaling.prometheus" }}{{ end -}}
{{- end }}

{{/* A file of values gives every number as a float, and toString would make 2.097152e+06 of 2097152. */}}
{{- define "kafka-retry.text" -}}
{{- if kindIs "float64" . }}{{ toJson . }}{{ else }}{{ toString . }}{{ end }}
{{- end }}

{{/* Variables of both processes, as a list of env. */}}
{{- define "kafka-retry.config" -}}
{{- $all := dict -}}
{{- if .Values.redis.enabled }}{{ $_ := set $all "REDIS_ADDR" (printf "%s-redis:6379" (include "kafka-retry.fullname" .)) }}{{ end -}}
{{- $_ := set $all "SHUTDOWN_TIMEOUT" (printf "%vs" (include "kafka-retry.shutdownSeconds" .)) -}}
{{- $_ := set $all "ALLOWED_HOSTS" (include "kafka-retry.hosts" .) -}}
{{- if .Values.worker.autoscaling.enabled }}{{ $_ := set $all "WORKER_CONCURRENCY" (max 1 (div 2000 (int .Values.worker.autoscaling.maxReplicas)) | toString) }}{{ end -}}
{{- if .Values.tls.redis.existingSecret -}}
{{- $_ := set $all "REDIS_TLS" "true" -}}
{{- $_ := set $all "REDIS_TLS_CA_FILE" "/run/tls/redis/ca.crt" -}}
{{- if .Values.tls.redis.clientCertificate }}{{ $_ := set $all "REDIS_TLS_CERT_FILE" "/run/tls/redis/tls.crt" }}{{ $_ := set $all "REDIS_TLS_KEY_FILE" "/run/tls/redis/tls.key" }}{{ end -}}
{{- end -}}
{{- if .Values.tls.kafka.existingSecret -}}
{{- $_ := set $all "KAFKA_TLS" "true" -}}
{{- $_ := set $all "KAFKA_TLS_CA_FILE" "/run/tls/kafka/ca.crt" -}}
{{- if .Values.tls.kafka.clientCertificate }}{{ $_ := set $all "KAFKA_TLS_CERT_FILE" "/run/tls/kafka/tls.crt" }}{{ $_ := set $all "KAFKA_TLS_KEY_FILE" "/run/tls/kafka/tls.key" }}{{ end -}}
{{- end -}}
{{- /* With --reuse-values a chart gets the values of the one before it, which may lack these three. */ -}}
{{- if (.Values.tls.proxy).existingSecret }}{{ $_ := set $all "DESTINATION_PROXY_CA_FILE" "/run/tls/proxy/ca.crt" }}{{ end -}}
{{- if (.Values.tls.destinations).existingSecret }}{{ $_ := set $all "NODE_EXTRA_CA_CERTS" "/run/tls/destinations/ca.crt" }}{{ end -}}
{{- if (.Values.tls.otel).existingSecret -}}
{{- $_ := set $all "OTEL_EXPORTER_OTLP_CERTIFICATE" "/run/tls/otel/ca.crt" -}}
{{- if .Values.tls.otel.clientCertificate }}{{ $_ := set $all "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE" "/run/tls/otel/tls.crt" }}{{ $_ := set $all "OTEL_EXPORTER_OTLP_CLIENT_KEY" "/run/tls/otel/tls.key" }}{{ end -}}
{{- end -}}
{{- range $name, $value := .Values.config }}{{ $_ := set $all $name (include "kafka-retry.text" $value) }}{{ end -}}
{{- range $name := keys $all | sortAlpha }}
- name: {{ $name }}
  value: {{ get $all $name | quote }}
{{- end }}
{{- end }}

{{/* The secrets that a process reads, as files. Call it with (list $ "worker"). */}}
{{- define "kafka-retry.secretNames" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.secrets.existingSecret }}{{ range $root.Values.secrets.names }}{{ if or (eq (index $ 1) "api") (ne . "BOOTSTRAP_API_KEY") }}{{ . }} {{ end }}{{ end }}{{ end }}
{{- end }}

{{- define "kafka-retry.secretEnv" -}}
{{- range splitList " " (include "kafka-retry.secretNames" . | trim) }}{{ if . }}
- name: {{ . }}_FILE
  value: /run/secrets/kafka-retry/{{ . }}
{{- end }}{{ end }}
{{- end }}

{{- define "kafka-retry.mounts" -}}
{{- $root := index . 0 -}}
- { name: tmp, mountPath: /tmp }
{{- if include "kafka-retry.secretNames" . | trim }}
- { name: secrets, mountPath: /run/secrets/kafka-retry, readOnly: true }
{{- end }}
{{- range $of := keys $root.Values.tls | sortAlpha }}{{ if (get $root.Values.tls $of).existingSecret }}
- { name: tls-{{ $of }}, mountPath: /run/tls/{{ $of }}, readOnly: true }
{{- end }}{{ end }}
{{- end }}

{{- define "kafka-retry.volumes" -}}
{{- $root := index . 0 -}}
- name: tmp
  emptyDir: { sizeLimit: 64Mi }
{{- $names := include "kafka-retry.secretNames" . | trim }}
{{- if $names }}
- name: secrets
  secret:
    secretName: {{ $root.Values.secrets.existingSecret }}
    defaultMode: 0440
    items:
    {{- range splitList " " $names }}
      - { key: {{ . }}, path: {{ . }} }
    {{- end }}
{{- end }}
{{- range $of := keys $root.Values.tls | sortAlpha }}{{ $tls := get $root.Values.tls $of }}{{ if $tls.existingSecret }}
- name: tls-{{ $of }}
  secret:
    secretName: {{ $tls.existingSecret }}
    defaultMode: 0440
    items:
      - { key: ca.crt, path: ca.crt }
      {{- if $tls.clientCertificate }}
      - { key: tls.crt, path: tls.crt }
      - { key: tls.key, path: tls.key }
      {{- end }}
{{- end }}{{ end }}
{{- end }}

{{/* Its text changes when the secret does, and with it the pods. `lookup` finds nothing where Helm only renders. */}}
{{- define "kafka-retry.secretChecksum" -}}
{{- $found := "" -}}
{{- if .Values.secrets.existingSecret -}}
{{- with lookup "v1" "Secret" .Release.Namespace .Values.secrets.existingSecret }}{{ $found = toJson .data }}{{ end -}}
{{- end -}}
{{- printf "%s %s" .Values.secrets.version $found | sha256sum -}}
{{- end }}

{{- define "kafka-retry.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "kafka-retry.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* Call it with (list $ "api" .Values.api): what a pod of either kind has besides its container. */}}
{{- define "kafka-retry.placement" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $of := index . 2 -}}
serviceAccountName: {{ include "kafka-retry.serviceAccount" $root }}
automountServiceAccountToken: false
# It asks no service of its namespace, and hundreds of variables about them would look like settings.
enableServiceLinks: false
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with $of.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if $root.Values.topologySpread.enabled }}
topologySpreadConstraints:
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: {{ $root.Values.topologySpread.whenUnsatisfiable }}
    labelSelector:
      matchLabels: {{- include "kafka-retry.selector" (list $root $component) | nindent 8 }}
    # Without it the pods of an update count beside those that they replace.
    matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
{{- with $of.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $of.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $of.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What the two Deployments have alike. Call it with (list $ "api" .Values.api). */}}
{{- define "kafka-retry.podMetadata" -}}
{{- $root := index . 0 -}}
labels: {{- include "kafka-retry.labels" (list $root (index . 1)) | nindent 2 }}
annotations:
  checksum/secret: {{ include "kafka-retry.secretChecksum" $root }}
{{- with (index . 2).podAnnotations }}
{{ toYaml . | indent 2 }}
{{- end }}
{{- end }}
