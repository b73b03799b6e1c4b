{{- /* Names and labels only, and how a map is written as TOML. */ -}}

{{- define "room-agent.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "room-agent.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "room-agent.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "room-agent.selectorLabels" -}}
app.kubernetes.io/name: {{ include "room-agent.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "room-agent.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "room-agent.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "room-agent.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "room-agent.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "room-agent.secretName" -}}
{{- if .Values.secret.existing -}}
{{- tpl .Values.secret.existing . -}}
{{- else -}}
{{- include "room-agent.fullname" . -}}
{{- end -}}
{{- end -}}

{{- define "room-agent.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}

{{- define "room-agent.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "room-agent.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- /* The configuration as one map of tables: what the chart knows, then what `config` adds. */ -}}
{{- define "room-agent.config" -}}
{{- $worker := dict "slots" (int .Values.worker.slots) "agent_names" .Values.worker.agentNames "drain_grace" (printf "%ds" (int .Values.worker.drainGraceSeconds)) -}}
{{- $agents := dict "default" .Values.agents.default -}}
{{- if .Values.agents.definitions -}}
{{- $_ := set $agents "dir" "/etc/room-agent/agents" -}}
{{- end -}}
{{- $tree := dict "livekit" (dict "url" .Values.livekit.url) "worker" $worker "agents" $agents "admin" (dict "listen" "0.0.0.0:8081") "log" (dict "format" .Values.log.format "level" .Values.log.level) -}}
{{- $tools := dict -}}
{{- if .Values.tools.files }}{{ $_ := set $tools "dir" "/etc/room-agent/tools" }}{{ end -}}
{{- with .Values.tools.networks }}{{ $_ := set $tools "networks" . }}{{ end -}}
{{- if $tools }}{{ $_ := set $tree "tools" $tools }}{{ end -}}
{{- if .Values.audit.enabled -}}
{{- $audit := dict "dir" "/var/lib/room-agent/audit" -}}
{{- if .Values.audit.signingKeySecret }}{{ $_ := set $audit "signing_key_file" "/etc/room-agent/audit/signing-key.pem" }}{{ end -}}
{{- $_ := set $tree "audit" $audit -}}
{{- else if .Values.audit.signingKeySecret -}}
{{- fail "audit.signingKeySecret: there is nothing to sign without audit.enabled" -}}
{{- end -}}
{{- with .Values.engine.udpPorts -}}
{{- $_ := set $tree "engine" (dict "udp_ports" .) -}}
{{- end -}}
{{- if .Values.console.enabled -}}
{{- $console := dict "listen" "0.0.0.0:8080" -}}
{{- with .Values.console.agentName }}{{ $_ := set $console "agent_name" . }}{{ end -}}
{{- with .Values.console.livekitUrl }}{{ $_ := set $console "livekit_url" . }}{{ end -}}
{{- $_ := set $tree "console" $console -}}
{{- end -}}
{{- range $table, $keys := .Values.config -}}
{{- $known := default dict (get $tree $table) -}}
{{- range $key, $value := $keys -}}
{{- if hasKey $known $key -}}
{{- fail (printf "config.%s.%s: the chart sets this itself, from another value" $table $key) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $tree $table (merge (dict) $known $keys) -}}
{{- end -}}
{{- range $table, $keys := $tree }}
[{{ $table }}]
{{- range $key, $value := $keys }}
{{ $key }} = {{ include "room-agent.toml" $value }}
{{- end }}
{{ end }}
{{- end -}}

{{- /* One TOML value. JSON's strings, numbers, booleans and lists are TOML's; maps become inline tables. */ -}}
{{- define "room-agent.toml" -}}
{{- if kindIs "map" . -}}
{ {{- range $n, $key := keys . | sortAlpha }}{{ if $n }},{{ end }} {{ $key }} = {{ include "room-agent.toml" (get $ $key) }}{{ end }} }
{{- else -}}
{{- toRawJson . -}}
{{- end -}}
{{- end -}}
