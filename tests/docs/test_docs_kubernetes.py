"""docs/deploy/kubernetes.yaml against the schemas of Kubernetes' API, and its parts against each other and the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml
from doc_page import ROOT

import mcp_app
from mcp_app import Settings
from mcp_app.manifest import load_manifest
from mcp_app.routes import table
from mcp_app.server import configuration, forced_exit

DEPLOY = ROOT / "docs" / "deploy"
TEXT = (DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
OBJECTS: dict[str, dict[str, Any]] = {each["kind"]: each for each in yaml.safe_load_all(TEXT)}
LEAST, NEWEST = "1.30", "1.37"


def pod() -> dict[str, Any]:
    found: dict[str, Any] = OBJECTS["Deployment"]["spec"]["template"]["spec"]
    return found


def container() -> dict[str, Any]:
    [found] = pod()["containers"]
    return dict(found)


@pytest.mark.parametrize("version", [LEAST, NEWEST])
@pytest.mark.parametrize("kind", OBJECTS)
def test_it_fits_the_schema_of_its_kind(kind: str, version: str) -> None:
    kubernetes_validate.validate(OBJECTS[kind], version, strict=True)
    assert f"({LEAST} or newer)" in TEXT


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("Deployment", "readinessProbe:", "readynessProbe:"),
        ("PodDisruptionBudget", "maxUnavailable: 1", "maxUnavailabel: 1"),
        ("HorizontalPodAutoscaler", "averageUtilization: 80", 'averageUtilization: "80"'),
        ("NetworkPolicy", "  podSelector:", "  podsSelector:"),
        ("Service", "targetPort: http", "targetPort: [http]"),
    ],
)
def test_what_does_not_fit_would_be_seen(kind: str, right: str, wrong: str) -> None:
    assert right in TEXT
    [changed] = [each for each in yaml.safe_load_all(TEXT.replace(right, wrong)) if each["kind"] == kind]
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(changed, NEWEST, strict=True)


def test_all_speak_of_the_same_pods() -> None:
    labels = OBJECTS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        OBJECTS["Deployment"]["spec"]["selector"]["matchLabels"],
        OBJECTS["Service"]["spec"]["selector"],
        OBJECTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        OBJECTS["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        *(each["labelSelector"]["matchLabels"] for each in pod()["topologySpreadConstraints"]),
    ]
    assert selectors == [labels] * 5
    target = OBJECTS["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    deployment = OBJECTS["Deployment"]
    assert (target["apiVersion"], target["kind"]) == (deployment["apiVersion"], deployment["kind"])
    assert target["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"], "each apply would undo what the autoscaler has done"


def ports(value: Any) -> Iterator[Any]:
    """Every port that something is asked at."""
    if isinstance(value, dict):
        yield from (each for name, each in value.items() if name in ("port", "targetPort") and isinstance(each, str))
        yield from (port for each in value.values() for port in ports(each))
    elif isinstance(value, list):
        yield from (port for each in value for port in ports(each))


def test_every_port_is_that_of_the_image() -> None:
    [port] = container()["ports"]
    assert set(ports(list(OBJECTS.values()))) == {port["name"]}
    [exposed] = re.findall(r"^EXPOSE (\d+)", DOCKERFILE, re.MULTILINE)
    assert str(port["containerPort"]) == exposed
    assert OBJECTS["Deployment"]["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"] == exposed
    assert f"$(POD_IP):{exposed}" in TEXT


def test_the_probes_ask_for_what_there_is() -> None:
    routes = table(load_manifest(ROOT / "mcp.json"))
    probes = {name: container()[name] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {name: probe["httpGet"]["path"] for name, probe in probes.items()} == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }
    assert all("GET" in routes[probe["httpGet"]["path"]] for probe in probes.values())
    config, _ = configuration.load(DEPLOY / "hypercorn.toml", tls=False)
    start = probes["startupProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] > config.startup_timeout


def test_a_pod_has_the_time_that_its_stop_takes() -> None:
    config, _ = configuration.load(DEPLOY / "hypercorn.toml", tls=False)
    waits = container()["lifecycle"]["preStop"]["sleep"]["seconds"]
    longest = forced_exit.shutdown_seconds(config)
    assert f"of {longest:g} s with the image's" in TEXT
    assert pod()["terminationGracePeriodSeconds"] > waits + longest


def test_the_pod_is_the_images_user_and_may_do_nothing_else() -> None:
    [user] = re.findall(r"^USER (\d+):(\d+)", DOCKERFILE, re.MULTILINE)
    own = pod()["securityContext"]
    assert (str(own["runAsUser"]), str(own["runAsGroup"])) == user
    assert own["runAsNonRoot"] is True
    assert own["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod()["automountServiceAccountToken"] is False
    mounted = {each["name"] for each in container()["volumeMounts"]}
    assert mounted == {each["name"] for each in pod()["volumes"]}


def test_what_it_sets_are_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Each is taken, and together they are what a server beyond loopback needs."""
    values = {each["name"]: each["value"] for each in container()["env"] if "value" in each}
    created = re.findall(r"--from-literal=(\w+)=", TEXT)
    assert {*values, *created} <= {f"MCP_APP_{name.upper()}" for name in Settings.model_fields}
    for name, value in values.items():
        monkeypatch.setenv(name, value.replace("$(POD_IP)", "10.1.2.3"))
    monkeypatch.setenv("MCP_APP_SECRET", "00" * 16)
    monkeypatch.setenv("MCP_APP_EVENT_LOG", "redis://:password@redis:6379")
    settings = Settings()
    assert settings.event_log.kind == "redis"
    secrets = dict(re.findall(r"create secret generic (\S+) --from-(\w+)", TEXT))
    [keys] = [each["secret"]["secretName"] for each in pod()["volumes"] if each["name"] == "keys"]
    [names] = [each["secretRef"]["name"] for each in container()["envFrom"]]
    assert secrets == {keys: "file", names: "literal"}
    [mounted] = [each["mountPath"] for each in container()["volumeMounts"] if each["name"] == "keys"]
    assert str(settings.keys) == f"{mounted}/keys.json"
    assert "--from-file=keys.json" in TEXT


async def test_the_metric_that_it_scales_by_is_there() -> None:
    [metric] = [
        each["pods"]["metric"]["name"]
        for each in OBJECTS["HorizontalPodAutoscaler"]["spec"]["metrics"]
        if each["type"] == "Pods"
    ]
    app = mcp_app.create_app(Settings(), [])
    async with app.test_app() as running:
        answer = await running.test_client().get("/metrics")
        assert re.search(rf"^# TYPE {metric} gauge$", (await answer.get_data()).decode(), re.MULTILINE)
