{{/* Names and labels. */}}

{{- define "mt.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/*
Short enough that the names of pods begin with it whole: the permission for transactional ids is given by that beginning.
*/}}
{{- define "mt.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "mt.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "mt.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "mt.instance" -}}
app.kubernetes.io/name: {{ include "mt.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/*
A selector for Prometheus: the series of this release's pods and of nobody else's, by the form of their names. A release whose
name begins with ours has one part more.
*/}}
{{- define "mt.series" -}}
{{- $end := eq .Values.workload "StatefulSet" | ternary "[0-9]+" "[a-z0-9]+-[a-z0-9]{5}" -}}
namespace={{ .Release.Namespace | quote }},pod=~{{ printf "%s-%s" (include "mt.fullname" .) $end | quote }}
{{- end }}

{{/* What a Deployment selects; never changes. */}}
{{- define "mt.selector" -}}
{{ include "mt.instance" . }}
app.kubernetes.io/component: processor
{{- end }}

{{- define "mt.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "mt.instance" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "mt.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}
{{- else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}

{{- define "mt.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "mt.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- define "mt.scaled" -}}
{{- if or .Values.autoscaling.hpa.enabled .Values.autoscaling.keda.enabled }}true{{ end }}
{{- end }}
