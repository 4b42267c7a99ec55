{{/* The name of everything. 52 characters leave room for what a StatefulSet adds. */}}
{{- define "esawatch.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains "esawatch" .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-esawatch" (.Release.Name | trunc 43 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{- define "esawatch.selectorLabels" -}}
app.kubernetes.io/name: esawatch
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "esawatch.labels" -}}
{{ include "esawatch.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "esawatch.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "esawatch.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "esawatch.image" -}}
{{- with .Values.image -}}
{{- .repository -}}
{{- if .digest -}}
{{- with .tag -}}:{{ . }}{{- end -}}@{{ .digest }}
{{- else -}}
:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "esawatch.configMapName" -}}
{{- default (printf "%s-config" (include "esawatch.fullname" .)) .Values.existingConfigMap -}}
{{- end -}}

{{/* The address of the ingress, for links in messages, unless the configuration says another. */}}
{{- define "esawatch.externalURL" -}}
{{- if and .Values.ingress.enabled (not .Values.existingConfigMap) (not (.Values.config.web).external_url) -}}
{{- printf "%s://%s%s" (ternary "https" "http" (ne .Values.ingress.tlsSecretName "")) .Values.ingress.host (trimSuffix "/" .Values.ingress.path) -}}
{{- end -}}
{{- end -}}

{{/* The section cluster of the configuration: what is set. */}}
{{- define "esawatch.cluster" -}}
{{- $section := dict -}}
{{- range $key, $value := omit .Values.cluster "existingSecret" "tls" -}}
{{- if $value -}}{{- $_ := set $section $key $value -}}{{- end -}}
{{- end -}}
{{- $tls := dict -}}
{{- range $key, $value := .Values.cluster.tls -}}
{{- if $value -}}{{- $_ := set $tls $key $value -}}{{- end -}}
{{- end -}}
{{- if $tls -}}{{- $_ := set $section "tls" $tls -}}{{- end -}}
{{- toYaml (dict "cluster" $section) -}}
{{- end -}}

{{/* The ports of the servers of NATS, each once. */}}
{{- define "esawatch.natsPorts" -}}
{{- $ports := list -}}
{{- range .Values.cluster.urls -}}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" (trimSuffix "/" .)) -}}
{{- if not $port -}}{{- $port = get (dict "ws" "80" "wss" "443") (lower (first (splitList ":" .))) | default "4222" -}}{{- end -}}
{{- $ports = append $ports (int $port) -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}

{{/* Mistakes that a schema cannot name so that one sees what to do. */}}
{{- define "esawatch.check" -}}
{{- $config := .Values.config -}}
{{- if and .Values.existingConfigMap $config -}}
{{- fail "config and existingConfigMap: give one of the two" -}}
{{- end -}}
{{- $agent := default dict $config.agent -}}
{{- $web := default dict $config.web -}}
{{- range $list := list "sites" "receivers" "maintenance" -}}
{{- $seen := dict -}}
{{- range default (list) (get $config $list) -}}
{{- if hasKey $seen (toString .name) -}}
{{- fail (printf "config.%s: the name %q is given twice" $list (toString .name)) -}}
{{- end -}}
{{- $_ := set $seen (toString .name) true -}}
{{- end -}}
{{- end -}}
{{- if hasKey $agent "data_dir" -}}
{{- fail "config.agent.data_dir is set by the chart: it is /data, the volume of persistence" -}}
{{- end -}}
{{- range $key := list "listen" "health_listen" -}}
{{- if hasKey $web $key -}}
{{- fail (printf "config.web.%s is set by the chart: service.port is the port that others use" $key) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.webConfig (hasKey $web "config_file") -}}
{{- fail "webConfig and config.web.config_file: give one of the two" -}}
{{- end -}}
{{- if and .Values.location.value .Values.location.fromNode -}}
{{- fail "location.value and location.fromNode: give one of the two" -}}
{{- end -}}
{{- if and (or .Values.location.value .Values.location.fromNode) $agent.location -}}
{{- fail "location and config.agent.location: give one of the two" -}}
{{- end -}}
{{- if hasKey $config "cluster" -}}
{{- fail "config.cluster: give it as cluster, beside config; it makes a Deployment of the StatefulSet" -}}
{{- end -}}
{{- $cluster := .Values.cluster -}}
{{- if not $cluster.urls -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- fail (printf "replicas: got %d, want 1 without cluster.urls: agents that do not know of each other all check everything and all tell of it" (int .Values.replicas)) -}}
{{- end -}}
{{- if or $cluster.existingSecret $cluster.credentials_file $cluster.username $cluster.password_file $cluster.region -}}
{{- fail "cluster.urls: the servers of NATS, without which the rest of cluster is of no use" -}}
{{- end -}}
{{- else -}}
{{- if .Values.location.fromNode -}}
{{- fail "location.fromNode and cluster.urls: the agents of a release are one location and have one vote; give location.value, or install a release for each place" -}}
{{- end -}}
{{- if not (or .Values.location.value $agent.location) -}}
{{- fail "location.value: cluster.urls wants it set. All agents of a release are one location, share its checks and have one vote; without it each pod's name would be a location of its own" -}}
{{- end -}}
{{- if ne (empty $cluster.username) (empty $cluster.password_file) -}}
{{- fail "cluster.username and cluster.password_file go together" -}}
{{- end -}}
{{- range $key, $file := merge (pick $cluster "credentials_file" "password_file") $cluster.tls -}}
{{- if and (hasPrefix "/etc/esawatch/nats/" $file) (not $cluster.existingSecret) -}}
{{- fail (printf "cluster.existingSecret: the Secret that has %s (%s)" (base $file) $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- fail "ingress.host: the name under which the page is reached" -}}
{{- end -}}
{{- $timeout := toString (default "20s" $agent.shutdown_timeout) -}}
{{- if regexMatch "^[0-9]+[smh]$" $timeout -}}
{{- $unit := get (dict "s" 1 "m" 60 "h" 3600) (trunc -1 $timeout) -}}
{{- if le (int .Values.terminationGracePeriodSeconds) (mul $unit (int (trunc (sub (len $timeout) 1 | int) $timeout)) | int) -}}
{{- fail (printf "terminationGracePeriodSeconds: got %d, want more than config.agent.shutdown_timeout (%s): what is owed is saved at the end" (int .Values.terminationGracePeriodSeconds) $timeout) -}}
{{- end -}}
{{- end -}}
{{- end -}}
