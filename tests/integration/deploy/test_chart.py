"""The Helm chart: valid for Kubernetes, hardened, closed to whom it does not expect, and true to the services."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml

from chatterbus_gateway.settings import GatewaySettings
from chatterbus_notifier.settings import NotifierSettings
from chatterbus_notifier.shard import Shard
from chatterbus_persister.settings import PersisterSettings
from chatterbus_runtime.settings import ServiceSettings, is_secret
from tests.integration.deploy.conftest import CHART
from tests.kit.helm_tool import Helm

Objects = list[dict[str, Any]]

KUBERNETES: Final = ("1.29", "1.33", "1.37")
LEAST: Final = CHART / "ci/least-values.yaml"
PRODUCTION: Final = CHART / "ci/production-values.yaml"
SETTINGS: Final[dict[str, type[ServiceSettings]]] = {
    "gateway": GatewaySettings,
    "persister": PersisterSettings,
    "notifier": NotifierSettings,
    "migrate": PersisterSettings,
}
SECRETS: Final = {
    name.upper() for each in SETTINGS.values() for name, field in each.model_fields.items() if is_secret(field)
}


def of_kind(objects: Objects, *kinds: str) -> Objects:
    return [each for each in objects if each["kind"] in kinds]


def workloads(objects: Objects) -> Objects:
    return of_kind(objects, "Deployment", "StatefulSet", "Job")


def service_of(each: dict[str, Any]) -> str:
    return str(each["metadata"]["labels"]["app.kubernetes.io/component"])


def pods(objects: Objects) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(service, pod, container)"""
    for each in workloads(objects):
        pod = each["spec"]["template"]["spec"]
        for container in pod["containers"]:
            yield service_of(each), pod, container


def matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    return selector["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("values", [LEAST, PRODUCTION], ids=lambda path: path.stem)
def test_helm_finds_nothing_to_complain_about(helm: Helm, values: Path) -> None:
    done = helm.run("lint", "--strict", str(CHART), "--values", str(values))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_object_is_valid_in_every_supported_kubernetes(objects: Objects) -> None:
    for version, each in product(KUBERNETES, objects):
        kubernetes_validate.validate(each, version, strict=True)


def test_no_object_is_made_twice(objects: Objects) -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(set(names)) == len(names)


def test_every_container_is_nobody_with_no_rights_and_a_disk_it_can_not_write(objects: Objects) -> None:
    for _, pod, container in pods(objects):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        rights = container["securityContext"]
        assert (rights["readOnlyRootFilesystem"], rights["allowPrivilegeEscalation"]) == (True, False)
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert "memory" in container["resources"]["limits"]
    for account in of_kind(objects, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


def test_every_service_has_an_account_and_secrets_of_its_own(objects: Objects) -> None:
    accounts = {service: pod["serviceAccountName"] for service, pod, _ in pods(objects)}
    secrets = {
        service: volume["secret"]["secretName"]
        for service, pod, _ in pods(objects)
        for volume in pod["volumes"]
        if "secret" in volume
    }
    assert len(set(accounts.values())) == len(set(secrets.values())) == len(SETTINGS)
    assert set(accounts.values()) == {each["metadata"]["name"] for each in of_kind(objects, "ServiceAccount")}


def test_every_variable_is_a_setting_of_its_service_and_secrets_are_files(objects: Objects) -> None:
    for service, _, container in pods(objects):
        known = {name.upper() for name in SETTINGS[service].model_fields}
        secret = {f"{name}_FILE" for name in SECRETS & known}
        given = {variable["name"]: variable.get("value") for variable in container["env"]}
        assert len(given) == len(container["env"]), "a variable is set twice"
        assert given.keys() - {"POD_INDEX"} <= known - SECRETS | secret
        assert all(given[name] == f"/run/secrets/chatterbus/{name[:-5]}" for name in given.keys() & secret)


def test_every_service_starts_with_what_it_is_told(
    objects: Objects, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dsn = "postgresql://u:p@db/x"
    example = {"PERSISTER_DSN": dsn, "PERSISTER_READ_DSN": dsn, "NOTIFIER_WEBHOOK_URL": "https://example.com/hook"}
    key = "whsec_" + "YWJj" * 10
    for service, _, container in pods(objects):
        with monkeypatch.context() as environment:
            for variable in container["env"]:
                name, value = variable["name"], variable.get("value", "0").replace("$(POD_INDEX)", "0")
                if name.endswith("_FILE"):
                    (tmp_path / name).write_text(example.get(name[:-5], key))
                    value = str(tmp_path / name)
                if name == "NATS_CA":
                    (tmp_path / name).touch()
                    value = str(tmp_path / name)
                environment.setenv(name, value)
            SETTINGS[service]()


def test_probes_ask_the_port_on_which_the_service_answers(objects: Objects) -> None:
    asked = [(service, container) for service, _, container in pods(objects) if service != "migrate"]
    for service, container in asked:
        (port,) = container["ports"]
        variable = "GATEWAY_PORT" if service == "gateway" else f"{service.upper()}_PROBE_PORT"
        assert {"name": variable, "value": str(port["containerPort"])} in container["env"]
        paths = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
        assert paths == {
            "startup": {"path": "/healthz", "port": port["name"]},
            "liveness": {"path": "/healthz", "port": port["name"]},
            "readiness": {"path": "/readyz", "port": port["name"]},
        }


def test_a_pod_is_not_killed_before_its_drain_is_over(objects: Objects) -> None:
    for service, pod, container in pods(objects):
        told = {variable["name"]: variable.get("value", "") for variable in container["env"]}
        drain_s = {
            "gateway": float(told.get("GATEWAY_DRAIN_TIMEOUT_S", 0)),
            "persister": 20 + 2,
            "notifier": 5 + 2,
            "migrate": 0,
        }
        assert pod.get("terminationGracePeriodSeconds", 30) > drain_s[service]


def test_every_shard_has_a_pod_and_with_a_standby_two(helm: Helm) -> None:
    objects = helm.template(CHART, PRODUCTION)
    sets = of_kind(objects, "StatefulSet")
    told = [
        variable["value"].replace("$(POD_INDEX)", str(index))
        for each in sets
        for index in range(each["spec"]["replicas"])
        for variable in each["spec"]["template"]["spec"]["containers"][0]["env"]
        if variable["name"] == "NOTIFIER_SHARD"
    ]
    assert sorted(told) == ["0/2", "0/2", "1/2", "1/2"]
    assert all(Shard.parse(text) for text in told)
    alone = helm.template(CHART, PRODUCTION, "--set", "notifier.standby=false")
    assert sum(each["spec"]["replicas"] for each in of_kind(alone, "StatefulSet")) == 2
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in sets]
    assert [[matches(each["spec"]["selector"], one) for one in labels] for each in sets] == [
        [True, False],
        [False, True],
    ]


def test_budgets_and_policies_find_their_pods_and_no_others(objects: Objects) -> None:
    labels = {service_of(each): each["spec"]["template"]["metadata"]["labels"] for each in workloads(objects)}
    budgets = of_kind(objects, "PodDisruptionBudget")
    assert {service_of(each) for each in budgets} == {"gateway", "persister", "notifier"}
    for each in budgets:
        assert {name for name, one in labels.items() if matches(each["spec"]["selector"], one)} == {service_of(each)}
    for each in of_kind(objects, "NetworkPolicy"):
        found = {name for name, one in labels.items() if matches(each["spec"]["podSelector"], one)}
        assert found == (set(labels) if service_of(each) == "network" else {service_of(each)})


def test_nothing_is_allowed_that_is_not_listed(objects: Objects) -> None:
    policies = {service_of(each): each["spec"] for each in of_kind(objects, "NetworkPolicy")}
    everything = policies.pop("network")
    assert everything["policyTypes"] == ["Ingress", "Egress"]
    assert not everything.get("ingress")
    assert not everything.get("egress")
    reached = {
        service: {port["port"] for rule in spec["egress"] for port in rule["ports"]}
        for service, spec in policies.items()
    }
    assert 5432 not in reached["gateway"] | reached["notifier"]
    assert 4222 not in reached["migrate"]
    assert {5432, 4222} <= reached["persister"]
    assert [
        service for service, spec in policies.items() if any("from" not in rule for rule in spec.get("ingress", []))
    ] in (
        [],
        ["gateway"],
    )


def test_steps_of_the_schema_come_before_and_after_the_rollout(objects: Objects) -> None:
    jobs = {each["metadata"]["annotations"]["helm.sh/hook"]: each for each in of_kind(objects, "Job")}
    commands = {hook: each["spec"]["template"]["spec"]["containers"][0]["command"][-1] for hook, each in jobs.items()}
    assert commands == {"pre-install,pre-upgrade": "--before", "post-install,post-upgrade": "--after"}
    for pod in (each["spec"]["template"]["spec"] for each in jobs.values()):
        needed = {("ServiceAccount", pod["serviceAccountName"])} | {
            ("Secret", volume["secret"]["secretName"]) for volume in pod["volumes"] if "secret" in volume
        }
        made_later = {
            (each["kind"], each["metadata"]["name"])
            for each in objects
            if "helm.sh/hook" not in each["metadata"].get("annotations", {})
        }
        assert not needed & made_later


def test_gateways_scale_by_connections_and_by_cpu_where_there_is_no_such_metric(helm: Helm) -> None:
    (scaler,) = of_kind(helm.template(CHART, PRODUCTION), "HorizontalPodAutoscaler")
    by = [
        metric.get("pods", {}).get("metric", {}).get("name") or metric["resource"]["name"]
        for metric in scaler["spec"]["metrics"]
    ]
    assert by == ["chatterbus_gateway_connections", "cpu"]
    (gateway,) = (
        each for each in of_kind(helm.template(CHART, PRODUCTION), "Deployment") if service_of(each) == "gateway"
    )
    assert "replicas" not in gateway["spec"]
    plain = helm.template(CHART, LEAST, "--set", "gateway.autoscaling.enabled=true")
    (scaler,) = of_kind(plain, "HorizontalPodAutoscaler")
    assert [metric["type"] for metric in scaler["spec"]["metrics"]] == ["Resource"]


def test_the_ingress_leaves_sockets_open_and_shows_no_metrics(helm: Helm) -> None:
    (ingress,) = of_kind(helm.template(CHART, PRODUCTION), "Ingress")
    notes = ingress["metadata"]["annotations"]
    assert (
        int(notes["nginx.ingress.kubernetes.io/proxy-read-timeout"])
        > GatewaySettings.model_fields["gateway_heartbeat_interval_s"].default
    )
    (rule,) = ingress["spec"]["rules"]
    assert [path["path"] for path in rule["http"]["paths"]] == ["/ws", "/api", "/chatterbus"]


REFUSED: Final = {
    "no NATS": (["nats.url="], "nats.url is required"),
    "no secret": (["secrets.persister.values=null"], "secrets.persister lacks"),
    "no key for tokens": (
        ["secrets.gateway.existingSecret=gw", "secrets.gateway.keys={NATS_PASSWORD}"],
        "no key to check tokens with",
    ),
    "a secret among the settings": (["gateway.env.GATEWAY_JWT_SECRET=x"], "GATEWAY_JWT_SECRET"),
    "development mode": (["gateway.env.GATEWAY_DEV_MODE=true"], "GATEWAY_DEV_MODE"),
    "an unknown value": (["persistor.replicas=2"], "persistor"),
    "a number that is a secret": (["secrets.gateway.values.NATS_PASSWORD=1"], "got number"),
    "persisters without work": (["persister.replicas=5"], "more than partitions"),
    "a drain shorter than its delay": (["gateway.drain.timeoutSeconds=8"], "gateway.drain.timeoutSeconds"),
    "two copies": (["nats.replicas=2"], "replicas"),
    "an ingress to nowhere": (["ingress.enabled=true"], "ingress.hosts is empty"),
    "scaling by nothing": (
        ["gateway.autoscaling.enabled=true", "gateway.autoscaling.cpuPercent=0"],
        "nothing to scale by",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_values_that_can_not_work_are_refused_with_a_reason(helm: Helm, case: str) -> None:
    values, reason = REFUSED[case]
    settings = [part for value in values for part in ("--set", value)]
    done = helm.run("template", "chat", str(CHART), "--values", str(LEAST), *settings)
    assert done.returncode != 0
    assert reason in done.stderr


def test_every_value_is_in_the_schema_and_explained(helm: Helm) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert values.keys() == schema["properties"].keys() - {"global"}
    assert set(schema["$defs"]["secret"]["properties"]["keys"]["items"]["enum"]) == SECRETS
    assert set(schema["$defs"]["env"]["propertyNames"]["not"]["enum"]) >= SECRETS


def test_no_secret_has_a_default(helm: Helm) -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for secret in values["secrets"].values():
        assert secret["existingSecret"] == ""
        assert secret["values"] == {}


def test_the_chart_has_the_version_of_the_services() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = (CHART.parents[2] / "services/gateway/pyproject.toml").read_text()
    assert re.search(rf'^version = "{re.escape(chart["appVersion"])}"$', project, re.MULTILINE)
