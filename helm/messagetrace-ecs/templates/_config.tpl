{{/*
The program's configuration: the preset, over it what follows from the secrets, over it the value `config`; written as TOML.
*/}}

{{/* Where secrets are mounted. */}}
{{- define "mt.home" -}}/etc/messagetrace-ecs{{- end }}

{{/* The secrets that are in use, as JSON: by their name here, the Secret's name and key. */}}
{{- define "mt.secrets" -}}
{{- $used := dict }}
{{- with .Values.strimzi }}
{{- if .cluster }}
{{- $user := include "mt.user" $ }}
{{- $_ := set $used "ca" (dict "name" (printf "%s-cluster-ca-cert" .cluster) "key" "ca.crt") }}
{{- if eq .authentication "scram-sha-512" }}
{{- $_ := set $used "password" (dict "name" $user "key" "password") }}
{{- else if eq .authentication "tls" }}
{{- $_ := set $used "certificate" (dict "name" $user "key" "user.crt") }}
{{- $_ := set $used "privateKey" (dict "name" $user "key" "user.key") }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $secret := .Values.secrets }}
{{- if $secret.name }}{{ $_ := set $used $name $secret }}{{ end }}
{{- end }}
{{- toJson $used }}
{{- end }}

{{- define "mt.user" -}}
{{- .Values.strimzi.user.name | default (include "mt.fullname" .) }}
{{- end }}

{{- define "mt.strimziNamespace" -}}
{{- .Values.strimzi.namespace | default .Release.Namespace }}
{{- end }}

{{/* The effective configuration as JSON, without the program's own defaults. */}}
{{- define "mt.effective" -}}
{{- $effective := dict }}
{{- with .Values.strimzi }}
{{- if .cluster }}
{{- $server := printf "%s-kafka-bootstrap.%s.svc:%d" .cluster (include "mt.strimziNamespace" $) (int .port) }}
{{- $kafka := dict "bootstrap_servers" (list $server) "security" "tls" }}
{{- if eq .authentication "scram-sha-512" }}
{{- $_ := set $kafka "security" "sasl_tls" }}
{{- $_ := set $kafka "sasl" (dict "mechanism" "SCRAM-SHA-512" "username" (include "mt.user" $)) }}
{{- end }}
{{- $_ := set $effective "kafka" $kafka }}
{{- end }}
{{- end }}
{{- $secrets := include "mt.secrets" . | fromJson }}
{{- $home := include "mt.home" . }}
{{- $keys := dict "password" "kafka.sasl.password_file" "token" "kafka.sasl.token_file"
      "clientSecret" "kafka.sasl.oidc.client_secret_file" "ca" "kafka.tls.ca_file"
      "certificate" "kafka.tls.certificate_file" "privateKey" "kafka.tls.key_file"
      "keyPassword" "kafka.tls.key_password_file" }}
{{- range $name, $key := $keys }}
{{- if hasKey $secrets $name }}
{{- $tree := printf "%s/secrets/%s" $home $name }}
{{- range splitList "." $key | reverse }}
{{- $tree = dict . $tree }}
{{- end }}
{{- $effective = mergeOverwrite $effective $tree }}
{{- end }}
{{- end }}
{{- mergeOverwrite $effective (deepCopy .Values.config) | toJson }}
{{- end }}

{{/* One setting of it, or the default given: (dict "root" . "key" "http.listen" "default" "…"). */}}
{{- define "mt.setting" -}}
{{- $value := include "mt.effective" .root | fromJson }}
{{- range splitList "." .key }}
{{- if kindIs "map" $value }}{{ $value = get $value . }}{{ else }}{{ $value = "" }}{{ end }}
{{- end }}
{{- if kindIs "slice" $value }}{{ $value = join "," $value }}{{ end }}
{{- if kindIs "map" $value }}{{ $value = "" }}{{ end }}
{{- $value | default .default | toString }}
{{- end }}

{{- define "mt.listen" -}}
{{- include "mt.setting" (dict "root" . "key" "http.listen" "default" "[::]:8080") }}
{{- end }}

{{- define "mt.port" -}}
{{- include "mt.listen" . | regexFind "[0-9]+$" }}
{{- end }}

{{/*
A table of TOML: its own values, then the tables in it. JSON's texts, numbers and lists are TOML's too; Helm's own toToml would
turn whole numbers into fractions.
*/}}
{{- define "mt.toml" -}}
{{- $path := .path }}
{{- range $key, $value := .table }}
{{- if not (or (kindIs "map" $value) (kindIs "invalid" $value)) }}
{{ include "mt.tomlKey" $key }} = {{ toRawJson $value }}
{{- end }}
{{- end }}
{{- range $key, $value := .table }}
{{- if kindIs "map" $value }}
{{- $name := append $path (include "mt.tomlKey" $key) }}

[{{ join "." $name }}]
{{- include "mt.toml" (dict "path" $name "table" $value) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "mt.tomlKey" -}}
{{- if regexMatch "^[A-Za-z0-9_-]+$" . }}{{ . }}{{ else }}{{ toRawJson . }}{{ end }}
{{- end }}

{{- define "mt.configFile" -}}
# Written from the chart's values.
{{- include "mt.toml" (dict "path" list "table" (include "mt.effective" . | fromJson)) }}
{{ end }}

{{/* Bytes of a size as the program writes it (128MiB) or Kubernetes does (256Mi); 0 when it is neither. */}}
{{- define "mt.bytes" -}}
{{- $text := . | toString | nospace }}
{{- $unit := regexFind "[A-Za-z]*$" $text }}
{{- $scales := dict "" 1.0 "B" 1.0 "k" 1e3 "K" 1e3 "kB" 1e3 "KB" 1e3 "M" 1e6 "MB" 1e6 "G" 1e9 "GB" 1e9 "T" 1e12
      "Ki" 1024.0 "KiB" 1024.0 "kiB" 1024.0 "Mi" 1048576.0 "MiB" 1048576.0 "Gi" 1073741824.0 "GiB" 1073741824.0 "Ti" 1099511627776.0 }}
{{- mulf (trimSuffix $unit $text | float64) (get $scales $unit | default 0.0) | int64 }}
{{- end }}

{{/* Whole seconds of a duration as the program writes it, rounded up. */}}
{{- define "mt.seconds" -}}
{{- $text := . | toString | nospace }}
{{- $unit := regexFind "[a-z]*$" $text }}
{{- $scales := dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 }}
{{- mulf (trimSuffix $unit $text | float64) (get $scales $unit | default 0.0) | ceil | int64 }}
{{- end }}

{{- define "mt.shutdownSeconds" -}}
{{- include "mt.seconds" (include "mt.setting" (dict "root" . "key" "pipeline.shutdown_timeout" "default" "25s")) }}
{{- end }}

{{- define "mt.graceSeconds" -}}
{{- with .Values.terminationGracePeriodSeconds }}{{ int . }}{{ else }}{{ add 10 (include "mt.shutdownSeconds" . | int) }}{{ end }}
{{- end }}
