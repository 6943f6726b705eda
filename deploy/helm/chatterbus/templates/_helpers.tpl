{{- define "chatterbus.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" -}}
{{- else if contains "chatterbus" .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-chatterbus" .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* The labels by which a service's pods are found; they never change. (list $ "gateway") */ -}}
{{- define "chatterbus.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: chatterbus
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "chatterbus.labels" -}}
{{- $root := index . 0 -}}
{{ include "chatterbus.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/part-of: chatterbus
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* (list $ "gateway"): the image of a service; the migrations are in the persister's. */ -}}
{{- define "chatterbus.image" -}}
{{- $root := index . 0 -}}
{{- $service := index $root.Values (eq (index . 1) "migrate" | ternary "persister" (index . 1)) -}}
{{- if $service.imageRef -}}
{{- $service.imageRef -}}
{{- else -}}
{{- with $root.Values.image.registry }}{{ . }}/{{ end }}{{ $service.image }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "chatterbus.secretName" -}}
{{- $root := index . 0 -}}
{{- (index $root.Values.secrets (index . 1)).existingSecret | default (printf "%s-%s" (include "chatterbus.fullname" $root) (index . 1)) -}}
{{- end -}}

{{- /* The settings that come as files, one a line. */ -}}
{{- define "chatterbus.secretKeys" -}}
{{- $secret := index (index . 0).Values.secrets (index . 1) -}}
{{- $keys := $secret.keys -}}
{{- if not $secret.existingSecret -}}{{- $keys = keys ($secret.values | default dict) | sortAlpha -}}{{- end -}}
{{- join "\n" $keys -}}
{{- end -}}

{{- /* Stops with a sentence when something is missing that no service can start without. */ -}}
{{- define "chatterbus.require" -}}
{{- if not .Values.nats.url -}}{{- fail "nats.url is required: nats://nats.nats.svc:4222" -}}{{- end -}}
{{- $needed := dict "gateway" (list "NATS_PASSWORD") "persister" (list "NATS_PASSWORD" "PERSISTER_DSN") "notifier" (list "NATS_PASSWORD") -}}
{{- if .Values.migrate.enabled -}}{{- $_ := set $needed "migrate" (list "PERSISTER_DSN") -}}{{- end -}}
{{- range $service, $names := $needed -}}
{{- $there := splitList "\n" (include "chatterbus.secretKeys" (list $ $service)) -}}
{{- range $names -}}
{{- if not (has . $there) -}}
{{- fail (printf "secrets.%s lacks %s: name an existingSecret and its keys, or give values (docs/kubernetes.md)" $service .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $tokens := splitList "\n" (include "chatterbus.secretKeys" (list . "gateway")) -}}
{{- if not (or (has "GATEWAY_JWT_SECRET" $tokens) (hasKey .Values.gateway.env "GATEWAY_JWT_PUBLIC_KEY") (hasKey .Values.gateway.env "GATEWAY_JWKS_URL")) -}}
{{- fail "no key to check tokens with: GATEWAY_JWT_SECRET in secrets.gateway, or GATEWAY_JWT_PUBLIC_KEY or GATEWAY_JWKS_URL in gateway.env" -}}
{{- end -}}
{{- if gt (int .Values.persister.replicas) (int .Values.partitions) -}}
{{- fail "persister.replicas is more than partitions: the others would never have work" -}}
{{- end -}}
{{- if le (int .Values.gateway.drain.timeoutSeconds) (add 5 .Values.gateway.drain.delaySeconds) -}}
{{- fail "gateway.drain.timeoutSeconds must be more than 5 s longer than gateway.drain.delaySeconds" -}}
{{- end -}}
{{- end -}}

{{- /* What all pods have alike: (list $ "gateway"). */ -}}
{{- define "chatterbus.podSpec" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $service := index $root.Values $name -}}
serviceAccountName: {{ include "chatterbus.fullname" $root }}-{{ $name }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- toYaml $root.Values.podSecurityContext | nindent 2 }}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $service.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $service.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $service.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $service.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "chatterbus.spread" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  - {{- toYaml . | nindent 4 }}
    labelSelector:
      matchLabels:
        {{- include "chatterbus.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "chatterbus.volumes" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
volumes:
  - name: tmp
    emptyDir: {sizeLimit: {{ (index $root.Values $name).tmpSize }}}
  - name: secrets
    secret:
      secretName: {{ include "chatterbus.secretName" . }}
      defaultMode: 0440
      items:
        {{- range splitList "\n" (include "chatterbus.secretKeys" .) }}
        - {key: {{ . }}, path: {{ . }}}
        {{- end }}
  {{- if and $root.Values.nats.caConfigMap (ne $name "migrate") }}
  - name: nats-ca
    configMap:
      name: {{ $root.Values.nats.caConfigMap }}
      items:
        - {key: {{ $root.Values.nats.caKey | quote }}, path: ca.crt}
  {{- end }}
{{- end -}}

{{- /* Image, rights, files and further settings of a container; its own settings stand before: (list $ "gateway"). */ -}}
{{- define "chatterbus.container" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $service := index $root.Values $name -}}
image: {{ include "chatterbus.image" . | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
securityContext:
  {{- toYaml $root.Values.securityContext | nindent 2 }}
resources:
  {{- toYaml $service.resources | nindent 2 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: secrets, mountPath: /run/secrets/chatterbus, readOnly: true}
  {{- if and $root.Values.nats.caConfigMap (ne $name "migrate") }}
  - {name: nats-ca, mountPath: /run/nats-ca, readOnly: true}
  {{- end }}
{{- end -}}

{{- define "chatterbus.env" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $service := index $root.Values $name -}}
{{- if ne $name "migrate" }}
- {name: NATS_URL, value: {{ $root.Values.nats.url | quote }}}
- {name: NATS_USER, value: {{ $service.natsUser | quote }}}
- {name: NATS_INBOX_PREFIX, value: {{ printf "_INBOX_%s" $service.natsUser | quote }}}
{{- if $root.Values.nats.caConfigMap }}
- {name: NATS_CA, value: /run/nats-ca/ca.crt}
{{- end }}
{{- end }}
{{- range splitList "\n" (include "chatterbus.secretKeys" .) }}
- {name: {{ . }}_FILE, value: /run/secrets/chatterbus/{{ . }}}
{{- end }}
{{- range $key, $value := $service.env }}
- {name: {{ $key }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- end -}}

{{- define "chatterbus.probes" -}}
{{- $probes := (index . 0).Values.probes -}}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: {{ $probes.periodSeconds }}
  timeoutSeconds: {{ $probes.timeoutSeconds }}
  failureThreshold: {{ div $probes.startupSeconds $probes.periodSeconds }}
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: {{ mul 2 $probes.periodSeconds }}
  timeoutSeconds: {{ $probes.timeoutSeconds }}
  failureThreshold: {{ $probes.failureThreshold }}
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: {{ $probes.periodSeconds }}
  timeoutSeconds: {{ $probes.timeoutSeconds }}
  failureThreshold: {{ $probes.failureThreshold }}
{{- end -}}

{{- /* A new value here starts the pods anew: secrets given as values are read at the start only. */ -}}
{{- define "chatterbus.podAnnotations" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $secret := index $root.Values.secrets $name -}}
{{- if not $secret.existingSecret }}
checksum/secret: {{ toJson $secret.values | sha256sum }}
{{- end }}
{{- with (index $root.Values $name).podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}
