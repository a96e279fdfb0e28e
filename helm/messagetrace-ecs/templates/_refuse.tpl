{{/*
Values that contradict one another, or would put a secret where it does not belong. All of them are told at once, each with the
value and the remedy. What a schema can see of one value alone stands in values.schema.json.
*/}}
{{- define "mt.refuse" -}}
{{- $v := .Values }}
{{- $scaler := $v.autoscaling }}
{{- $scaled := include "mt.scaled" . }}
{{- $secrets := include "mt.secrets" . | fromJson }}
{{- $effective := include "mt.effective" . | fromJson }}
{{- $wrong := list }}

{{- if and $scaler.hpa.enabled $scaler.keda.enabled }}
{{- $wrong = append $wrong "autoscaling.hpa.enabled and autoscaling.keda.enabled: two scalers would undo one another's work; keep one" }}
{{- end }}
{{- if $v.staticMembership }}
{{- if ne $v.workload "StatefulSet" }}
{{- $wrong = append $wrong "staticMembership: the pods of a Deployment have no stable names; set workload to StatefulSet" }}
{{- end }}
{{- if $scaled }}
{{- $wrong = append $wrong "staticMembership and autoscaling: the partitions of a pod that was scaled away would wait for input.session_timeout; switch one off" }}
{{- end }}
{{- if eq (include "mt.setting" (dict "root" . "key" "input.group_protocol" "default" "classic")) "consumer" }}
{{- $wrong = append $wrong "staticMembership and config.input.group_protocol = consumer: how long a member may be away is the broker's group.consumer.session.timeout.ms then; switch staticMembership off" }}
{{- end }}
{{- end }}
{{- if hasKey ($effective.input | default dict) "group_instance_id" }}
{{- $wrong = append $wrong "config.input.group_instance_id: all pods would have the same; set staticMembership instead" }}
{{- end }}

{{- $partitions := int $v.partitions }}
{{- if $scaled }}
{{- if not $partitions }}
{{- $wrong = append $wrong "autoscaling: say in partitions how many the input topics have, all together" }}
{{- else if gt (int $scaler.maxReplicas) $partitions }}
{{- $wrong = append $wrong (printf "autoscaling.maxReplicas: %d pods cannot share %d partitions; lower it, or correct partitions" (int $scaler.maxReplicas) $partitions) }}
{{- end }}
{{- if gt (int $scaler.minReplicas) (int $scaler.maxReplicas) }}
{{- $wrong = append $wrong (printf "autoscaling.minReplicas: %d is above maxReplicas, %d" (int $scaler.minReplicas) (int $scaler.maxReplicas)) }}
{{- end }}
{{- else if and $partitions (gt (int $v.replicas) $partitions) }}
{{- $wrong = append $wrong (printf "replicas: %d pods cannot share %d partitions; lower it, or correct partitions" (int $v.replicas) $partitions) }}
{{- end }}
{{- if $scaler.keda.enabled }}
{{- if eq $scaler.keda.trigger "prometheus" }}
{{- if not $scaler.keda.prometheus.serverAddress }}
{{- $wrong = append $wrong "autoscaling.keda.prometheus.serverAddress: say where Prometheus is, or set autoscaling.keda.trigger to kafka" }}
{{- end }}
{{- else if and (ne (include "mt.setting" (dict "root" . "key" "kafka.security" "default" "plaintext")) "plaintext") (not $scaler.keda.authenticationRef) }}
{{- $wrong = append $wrong "autoscaling.keda.authenticationRef: KEDA has to log in to Kafka as well; name a TriggerAuthentication of yours" }}
{{- end }}
{{- end }}

{{- $id := include "mt.setting" (dict "root" . "key" "pipeline.transactional_id" "default" "{hostname}") }}
{{- if and (not (contains "{hostname}" $id)) (or $scaled (gt (int $v.replicas) 1)) }}
{{- $wrong = append $wrong "config.pipeline.transactional_id: all pods would have the same and fence one another; let it contain {hostname}" }}
{{- end }}
{{- $listen := include "mt.listen" . }}
{{- if or (regexMatch "^(127\\.|\\[?(0*:)+0*1\\]?:[0-9]+$)" $listen) (regexMatch ":0+$" $listen) }}
{{- $wrong = append $wrong (printf "config.http.listen: the probes cannot reach %s; listen on [::] and a port" $listen) }}
{{- end }}
{{- $grace := include "mt.graceSeconds" . | int }}
{{- $shutdown := include "mt.shutdownSeconds" . | int }}
{{- if le $grace $shutdown }}
{{- $wrong = append $wrong (printf "terminationGracePeriodSeconds: %d is not above config.pipeline.shutdown_timeout, %d s: Kubernetes would kill what still finishes" $grace $shutdown) }}
{{- end }}
{{- with dig "limits" "memory" "" $v.resources }}
{{- $budget := include "mt.bytes" (include "mt.setting" (dict "root" $ "key" "pipeline.memory_budget" "default" "128MiB")) | int64 }}
{{- if lt (include "mt.bytes" . | int64) (add $budget 67108864) }}
{{- $wrong = append $wrong (printf "resources.limits.memory: %v is below config.pipeline.memory_budget and 64 MiB, %d MiB together" . (div (add $budget 67108864) 1048576)) }}
{{- end }}
{{- end }}

{{- $security := include "mt.setting" (dict "root" . "key" "kafka.security" "default" "plaintext") }}
{{- if and (not (hasPrefix "sasl_" $security)) (or (hasKey $secrets "password") (hasKey $secrets "token") (hasKey $secrets "clientSecret")) }}
{{- $wrong = append $wrong (printf "secrets: a password or token is named, and config.kafka.security = %s does not log in; set it to sasl_tls" $security) }}
{{- end }}
{{- if ne (hasKey $secrets "certificate") (hasKey $secrets "privateKey") }}
{{- $wrong = append $wrong "secrets.certificate and secrets.privateKey: a certificate and its key go together; name both" }}
{{- end }}
{{- if not $v.strimzi.cluster }}
{{- range list "user" "topics" }}
{{- if (get $v.strimzi .).create }}
{{- $wrong = append $wrong (printf "strimzi.%s.create: say in strimzi.cluster which Kafka it belongs to" .) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and $v.strimzi.user.create (eq $v.strimzi.authentication "none") }}
{{- $wrong = append $wrong "strimzi.user.create: a user needs a way to log in; set strimzi.authentication" }}
{{- end }}
{{- if and $v.strimzi.topics.create (not $partitions) }}
{{- $wrong = append $wrong "strimzi.topics.create: say in partitions how many the input topics shall have, all together" }}
{{- end }}
{{- if gt (int $v.strimzi.topics.minInSyncReplicas) (int $v.strimzi.topics.replicas) }}
{{- $wrong = append $wrong "strimzi.topics.minInSyncReplicas: more than there are replicas, nothing could be written" }}
{{- end }}

{{/* Secrets in clear: in the program's own keys, in raw properties, in the environment. */}}
{{- range $key, $secret := dict "kafka.sasl.password" "password" "kafka.sasl.token" "token"
      "kafka.sasl.oidc.client_secret" "clientSecret" "kafka.tls.key_password" "keyPassword" }}
{{- if include "mt.setting" (dict "root" $ "key" $key "default" "") }}
{{- $wrong = append $wrong (printf "config.%s: a secret in values stays in the release's history; put it into a Secret and name that in secrets.%s" $key $secret) }}
{{- end }}
{{- end }}
{{- range $room := list "kafka" "input" "output" }}
{{- $properties := dig $room "properties" dict $effective }}
{{- $names := list }}
{{- if kindIs "map" $properties }}{{ $names = include "mt.leaves" $properties | splitList "\n" }}
{{- else }}{{ $names = regexFindAll "[A-Za-z0-9_.]+" $properties -1 }}
{{- end }}
{{- range $name := $names | uniq }}
{{- if regexMatch "(password|secret|jaas|\\.pem$|oauthbearer\\.config$)" $name }}
{{- $wrong = append $wrong (printf "config.%s.properties: %s holds a secret, which would be readable in a ConfigMap; use secrets" $room $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $v.extraEnv }}
{{- if eq .name "MESSAGETRACE_ECS_CONFIG" }}
{{- $wrong = append $wrong "extraEnv: MESSAGETRACE_ECS_CONFIG: the chart sets it, to the file that it makes of config; put the settings there" }}
{{- end }}
{{- if and (regexMatch "(PASSWORD|TOKEN|SECRET)$" .name) (hasKey . "value") }}
{{- $wrong = append $wrong (printf "extraEnv: %s holds a secret in clear; use secrets, or valueFrom.secretKeyRef" .name) }}
{{- end }}
{{- end }}

{{- if $wrong }}
{{- fail (printf "\n%d of the values cannot be:\n* %s\n" (len $wrong) (join "\n* " $wrong)) }}
{{- end }}
{{- end }}

{{/* The names of properties, which may be split at their dots, one a line. */}}
{{- define "mt.leaves" -}}
{{- range $name, $value := . }}
{{- if kindIs "map" $value }}
{{- range include "mt.leaves" $value | splitList "\n" }}{{ if . }}{{ $name }}.{{ . }}{{ "\n" }}{{ end }}{{ end }}
{{- else }}{{ $name }}{{ "\n" }}
{{- end }}
{{- end }}
{{- end }}
