"""values.schema.json: the chart's own values by hand, below `config` what the program itself says of its configuration.

Only what can be told of one value alone stands here; what values must be together is refused by templates/_refuse.tpl, which
can say why. A refusal that needs a reason is written as a choice of one, because both major versions of Helm show the choices.
"""

import json
import os
import subprocess

from tools import ROOT

CHART = ROOT / "helm" / "messagetrace-ecs"
FILE = CHART / "values.schema.json"

TEXT = {"type": "string"}
FLAG = {"type": "boolean"}
# Passed on to Kubernetes as it is.
ANY = {"type": "object"}
ANY_LIST = {"type": "array", "items": {"type": "object"}}
NAME = {"type": "string", "pattern": "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$"}
LABELS = {"type": "object", "additionalProperties": {"type": "string"}}
DURATION = {"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"}
URL = {"type": "string", "pattern": "^(https?://.+)?$"}


def whole(least, most=None):
    return {"type": "integer", "minimum": least} | ({} if most is None else {"maximum": most})


def choice(*values):
    return {"enum": list(values)}


def group(**properties):
    return {"type": "object", "additionalProperties": False, "properties": properties}


def probe():
    return group(
        initialDelaySeconds=whole(0), periodSeconds=whole(1), timeoutSeconds=whole(1), failureThreshold=whole(1)
    )


def secret():
    return group(name=NAME, key={"type": "string", "pattern": "^[-._a-zA-Z0-9]+$"})


def values():
    share = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
    return group(
        # Helm's own: what a parent chart gives to all its charts.
        **{"global": ANY},
        nameOverride=NAME,
        fullnameOverride=NAME,
        image=group(
            repository={"type": "string", "minLength": 1},
            tag={"type": "string", "pattern": "^([A-Za-z0-9_][-.A-Za-z0-9_]{0,127})?$"},
            digest={"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
            pullPolicy=choice("Always", "IfNotPresent", "Never"),
        ),
        imagePullSecrets={"type": "array", "items": group(name=NAME)},
        workload=choice("Deployment", "StatefulSet"),
        staticMembership=FLAG,
        replicas=whole(0, 1000),
        partitions=whole(0, 100000),
        config=ANY,
        secrets=group(
            password=secret(),
            token=secret(),
            clientSecret=secret(),
            ca=secret(),
            certificate=secret(),
            privateKey=secret(),
            keyPassword=secret(),
        ),
        strimzi=group(
            cluster=NAME,
            namespace=NAME,
            port=whole(1, 65535),
            authentication=choice("scram-sha-512", "tls", "none"),
            apiVersion=choice("kafka.strimzi.io/v1", "kafka.strimzi.io/v1beta2"),
            user=group(create=FLAG, name=NAME),
            topics=group(
                create=FLAG,
                replicas=whole(1),
                minInSyncReplicas=whole(1),
                retentionMs=whole(-1),
                deadLettersRetentionMs=whole(-1),
                maxMessageBytes=whole(1024),
            ),
        ),
        resources=group(requests=ANY, limits=ANY, claims=ANY_LIST),
        terminationGracePeriodSeconds=whole(0),
        probes=group(liveness=probe(), readiness=probe(), startup=probe()),
        podDisruptionBudget=group(
            enabled=FLAG, maxUnavailable={"anyOf": [whole(1), {"type": "string", "pattern": "^[0-9]+%$"}]}
        ),
        autoscaling=group(
            # KEDA's 0 would leave nobody to measure the lag.
            minReplicas=whole(1),
            maxReplicas=whole(1),
            scaleDownStabilizationSeconds=whole(0, 3600),
            hpa=group(enabled=FLAG, targetCPUUtilizationPercentage=whole(1, 100)),
            keda=group(
                enabled=FLAG,
                version={"type": "string", "pattern": "^2\\.[0-9]+(\\.[0-9]+)?$"},
                trigger=choice("prometheus", "kafka"),
                lagThreshold=whole(1),
                pollingIntervalSeconds=whole(1),
                cooldownSeconds=whole(0),
                authenticationRef=NAME,
                prometheus=group(serverAddress=URL, query=TEXT),
            ),
        ),
        networkPolicy=group(
            enabled=FLAG,
            metricsFrom=ANY_LIST,
            kafkaTo=ANY_LIST,
            kafkaPorts={"type": "array", "items": whole(1, 65535)},
            extraEgress=ANY_LIST,
        ),
        metrics=group(
            monitor=choice("none", "PodMonitor", "ServiceMonitor"),
            interval=DURATION,
            scrapeTimeout=DURATION,
            labels=LABELS,
        ),
        prometheusRule=group(
            enabled=FLAG,
            labels=LABELS,
            runbookBase={"type": "string", "pattern": "^(https?://.+/)?$"},
            thresholds=group(
                lag_seconds={"type": "number", "exclusiveMinimum": 0},
                dead_letter_ratio=share,
                dead_letter_count=whole(1),
                commit_failures=whole(1),
                client_rebuilds=whole(1),
                rebalances=whole(1),
                memory_share=share,
            ),
        ),
        dashboard=group(enabled=FLAG, labels=LABELS, annotations=LABELS),
        service=group(annotations=LABELS),
        serviceAccount=group(create=FLAG, name=NAME, annotations=LABELS),
        podAnnotations=LABELS,
        podLabels=LABELS,
        priorityClassName=NAME,
        nodeSelector=LABELS,
        tolerations=ANY_LIST,
        affinity=ANY,
        topologySpreadConstraints=ANY_LIST,
        podSecurityContext=ANY,
        containerSecurityContext=ANY,
        extraEnv=ANY_LIST,
        extraVolumes=ANY_LIST,
        extraVolumeMounts=ANY_LIST,
    )


# What the program takes and the chart does not, and what to do instead.
INSTEAD = {
    "kafka.sasl.password": "(a secret has no place in values: name it in secrets.password)",
    "kafka.sasl.token": "(a secret has no place in values: name it in secrets.token)",
    "kafka.sasl.oidc.client_secret": "(a secret has no place in values: name it in secrets.clientSecret)",
    "kafka.tls.key_password": "(a secret has no place in values: name it in secrets.keyPassword)",
    "input.group_instance_id": "(all pods would have the same: set staticMembership)",
}


def configuration(schema, path=""):
    """The program's schema as a part of ours: without its defaults, which are not the chart's to repeat."""
    schema = {name: value for name, value in schema.items() if name not in ("$schema", "title", "default", "dependencies")}
    for name, value in schema.get("properties", {}).items():
        key = f"{path}{name}"
        if key in INSTEAD:
            schema["properties"][name] = {"enum": [INSTEAD[key]]}
        elif value.get("writeOnly"):
            raise ValueError(f"{key} is a secret that the chart does not know: add it to INSTEAD, values.yaml and _config.tpl")
        else:
            schema["properties"][name] = configuration(value, f"{key}.")
    return schema


def program(*arguments):
    """Runs the program given in MESSAGETRACE_ECS, or built here."""
    given = os.environ.get("MESSAGETRACE_ECS")
    command = [given] if given else ["cargo", "run", "--quiet", "--locked", "--"]
    return subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True)


def program_says():
    done = program("config", "--schema")
    if done.returncode != 0:
        raise RuntimeError(f"config --schema: {done.stderr}")
    return json.loads(done.stdout)


def text():
    schema = values()
    schema["properties"]["config"] = configuration(program_says())
    # The schema sees this one; the template says why.
    both = {"properties": {"keda": {"properties": {"enabled": {"const": True}}}}}
    alone = {"properties": {"hpa": {"properties": {"enabled": choice(False, "(not beside autoscaling.keda.enabled)")}}}}
    schema["properties"]["autoscaling"] |= {"if": both, "then": alone}
    whole_schema = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of messagetrace-ecs"} | schema
    return json.dumps(whole_schema, indent=1, ensure_ascii=False) + "\n"
