{{/* The pod, of the StatefulSet of one agent as of the Deployment of several. */}}
{{- define "esawatch.pod" -}}
{{- $fullname := include "esawatch.fullname" . -}}
metadata:
  labels:
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- include "esawatch.selectorLabels" . | nindent 4 }}
    app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
  # No checksum of the configuration: the agent reads changed files by itself.
  {{- if or .Values.podAnnotations .Values.cluster.urls }}
  annotations:
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if .Values.cluster.urls }}
    # But how they find each other is settled at the start.
    checksum/cluster: {{ include "esawatch.cluster" . | sha256sum | trunc 16 | quote }}
    {{- end }}
  {{- end }}
spec:
  serviceAccountName: {{ include "esawatch.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
  {{- else if .Values.cluster.urls }}
  # One node that goes takes one agent with it, as far as there are others.
  topologySpreadConstraints:
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "esawatch.selectorLabels" $ | nindent 10 }}
      matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- end }}
  {{- with .Values.dnsConfig }}
  dnsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: esawatch
      image: {{ include "esawatch.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - run
        - --config=/etc/esawatch/config/config.yaml
        {{- if .Values.cluster.urls }}
        - --config=/etc/esawatch/cluster/cluster.yaml
        {{- end }}
        - --allow-no-sites
        {{- range .Values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      # What the environment says goes before the configuration.
      env:
        - {name: ESAWATCH_AGENT__DATA_DIR, value: /data}
        - {name: ESAWATCH_WEB__LISTEN, value: ":9522"}
        - {name: ESAWATCH_WEB__HEALTH_LISTEN, value: ":9523"}
        {{- with include "esawatch.externalURL" . }}
        - {name: ESAWATCH_WEB__EXTERNAL_URL, value: {{ . | quote }}}
        {{- end }}
        {{- if .Values.webConfig }}
        - {name: ESAWATCH_WEB__CONFIG_FILE, value: /etc/esawatch/web/web.yml}
        {{- end }}
        {{- if .Values.location.fromNode }}
        - name: ESAWATCH_AGENT__LOCATION
          valueFrom:
            fieldRef: {fieldPath: spec.nodeName}
        {{- else if .Values.location.value }}
        - {name: ESAWATCH_AGENT__LOCATION, value: {{ .Values.location.value | quote }}}
        {{- end }}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .Values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - {name: http, containerPort: 9522, protocol: TCP}
        - {name: health, containerPort: 9523, protocol: TCP}
      # State that has grown is read before the first answer: two minutes for it.
      startupProbe:
        httpGet: {path: /-/healthy, port: health}
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /-/healthy, port: health}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /-/ready, port: health}
        periodSeconds: 10
        timeoutSeconds: 5
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      # Whole folders: with subPath a change would never arrive.
      volumeMounts:
        - {name: data, mountPath: /data}
        - {name: config, mountPath: /etc/esawatch/config, readOnly: true}
        - {name: secrets, mountPath: /etc/esawatch/secrets, readOnly: true}
        {{- if .Values.webConfig }}
        - {name: web, mountPath: /etc/esawatch/web, readOnly: true}
        {{- end }}
        {{- if .Values.cluster.urls }}
        - {name: cluster, mountPath: /etc/esawatch/cluster, readOnly: true}
        {{- end }}
        {{- if .Values.cluster.existingSecret }}
        - {name: nats, mountPath: /etc/esawatch/nats, readOnly: true}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "esawatch.configMapName" . }}
    # There even when it is empty: the first secret needs no new pod either.
    - name: secrets
      projected:
        defaultMode: 0440
        sources:
          - secret: {name: {{ $fullname }}-secrets, optional: true}
          {{- with .Values.existingSecret }}
          - secret: {name: {{ . }}}
          {{- end }}
    {{- if .Values.webConfig }}
    - name: web
      secret:
        secretName: {{ $fullname }}-web
        defaultMode: 0440
    {{- end }}
    {{- if .Values.cluster.urls }}
    - name: cluster
      configMap:
        name: {{ $fullname }}-cluster
    {{- end }}
    {{- with .Values.cluster.existingSecret }}
    - name: nats
      secret:
        secretName: {{ . }}
        defaultMode: 0440
    {{- end }}
    {{- if or .Values.cluster.urls (not .Values.persistence.enabled) }}
    - name: data
      emptyDir: {}
    {{- end }}
{{- end -}}
