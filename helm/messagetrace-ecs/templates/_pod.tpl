{{/* The pod, the same in a Deployment and a StatefulSet. */}}
{{- define "mt.podTemplate" -}}
metadata:
  labels:
    {{- include "mt.labels" . | nindent 4 }}
    app.kubernetes.io/component: processor
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # The program reads its configuration once, so another one is a rollout.
    checksum/config: {{ include "mt.configFile" . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "mt.podBasics" . | nindent 2 }}
  terminationGracePeriodSeconds: {{ include "mt.graceSeconds" . }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  topologySpreadConstraints:
    {{- with .Values.topologySpreadConstraints }}
    {{- toYaml . | nindent 4 }}
    {{- else }}
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "mt.selector" $ | nindent 10 }}
    {{- end }}
    {{- end }}
  containers:
    - name: messagetrace-ecs
      {{- include "mt.containerBasics" . | nindent 6 }}
      args: [run]
      env:
        {{- include "mt.configEnv" . | nindent 8 }}
        {{- if .Values.staticMembership }}
        - name: MESSAGETRACE_ECS_INPUT__GROUP_INSTANCE_ID
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        {{- end }}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - name: http
          containerPort: {{ include "mt.port" . }}
      startupProbe:
        httpGet: {path: /livez, port: http}
        {{- toYaml .Values.probes.startup | nindent 8 }}
      livenessProbe:
        httpGet: {path: /livez, port: http}
        {{- toYaml .Values.probes.liveness | nindent 8 }}
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        {{- toYaml .Values.probes.readiness | nindent 8 }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
{{- end }}

{{/* What the test's pods have in common with it. */}}
{{- define "mt.podBasics" -}}
serviceAccountName: {{ include "mt.serviceAccount" . }}
automountServiceAccountToken: false
# Variables for every service of the namespace are of no use here.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: config
    configMap:
      name: {{ include "mt.fullname" . }}
  {{- with include "mt.secrets" . | fromJson }}
  - name: secrets
    projected:
      # Readable for the group of podSecurityContext.fsGroup.
      defaultMode: 0440
      sources:
        {{- range $name, $secret := . }}
        - secret:
            name: {{ $secret.name }}
            items:
              - key: {{ $secret.key }}
                path: {{ $name }}
        {{- end }}
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Whatever is called in a container of ours reads the same, by kubectl exec too. */}}
{{- define "mt.configEnv" -}}
- name: MESSAGETRACE_ECS_CONFIG
  value: {{ include "mt.home" . }}/config.toml
{{- end }}

{{- define "mt.containerBasics" -}}
image: {{ include "mt.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.containerSecurityContext | nindent 2 }}
volumeMounts:
  - name: config
    mountPath: {{ include "mt.home" . }}/config.toml
    subPath: config.toml
    readOnly: true
  {{- if include "mt.secrets" . | fromJson }}
  - name: secrets
    mountPath: {{ include "mt.home" . }}/secrets
    readOnly: true
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
