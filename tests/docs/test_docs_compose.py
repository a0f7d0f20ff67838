"""docs/deploy/compose.yaml: read by a parser of the specification, held against the image; its services as processes.

In the place of the network's names and ports are ports of this machine; nothing else is changed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from doc_page import ROOT
from dockerfile import parse
from live_server import START_SECONDS, LiveServer, eventually, is_late, process
from proxies import SECONDS, free_port

from mcp_app.server import configuration, forced_exit

DEPLOY = ROOT / "docs" / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
IMAGE = parse((DEPLOY / "Dockerfile").read_text(encoding="utf-8"), {})
FILE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
NODES = ["node-1", "node-2"]

_OPTIONS = """
{
	admin off
	skip_install_trust
	auto_https disable_redirects
}
"""


def interpolated(value: str, environment: Mapping[str, str]) -> str:
    """As Compose fills in ${NAME:-default} and ${NAME:?message}."""

    def fill(match: re.Match[str]) -> str:
        found = environment.get(match["name"])
        if not found and match["kind"] == "?":
            raise KeyError(match["rest"])
        return found or match["rest"]

    return re.sub(r"\$\{(?P<name>\w+):(?P<kind>[?-])(?P<rest>[^}]*)\}", fill, value)


@pytest.mark.skipif(sys.platform != "linux", reason="compose-spec has wheels for Linux only")
def test_a_parser_of_the_specification_finds_no_fault() -> None:
    from compose_spec import PyCompose

    assert set(PyCompose.from_yaml(TEXT).to_dict()["services"]) == {*NODES, "redis", "proxy"}
    for right, wrong in (("read_only:", "readonly:"), ("service_healthy", "service_wealthy"), ("40s", "soon")):
        assert right in TEXT
        with pytest.raises(ValueError):
            PyCompose.from_yaml(TEXT.replace(right, wrong))


def test_what_it_names_is_there() -> None:
    for each in NODES:
        build = SERVICES[each]["build"]
        assert (DEPLOY / build["context"] / build["dockerfile"]).samefile(DEPLOY / "Dockerfile")
        assert (DEPLOY / build["context"]).samefile(ROOT)
    mounted = [volume.split(":") for service in SERVICES.values() for volume in service.get("volumes", ())]
    for source, *_ in mounted:
        assert (DEPLOY / source).is_file() if source.startswith("./") else source in FILE["volumes"]
    used = {network for service in SERVICES.values() for network in service["networks"]}
    assert used == set(FILE["networks"])
    assert [path["file"] for path in FILE["secrets"].values()] == [f"./{shlex.split(keys_command())[-1]}"]


def test_a_node_may_do_what_the_image_says_and_has_time_to_stop() -> None:
    config, _ = configuration.load(DEPLOY / "hypercorn.toml", tls=False)
    longest = forced_exit.shutdown_seconds(config)
    assert f"of {longest:g} s with the image's" in TEXT
    for each in NODES:
        node = SERVICES[each]
        assert int(node["stop_grace_period"].removesuffix("s")) > longest
        assert (node["read_only"], node["tmpfs"], node["cap_drop"]) == (True, ["/tmp"], ["ALL"])
        assert node["security_opt"] == ["no-new-privileges:true"]
    assert IMAGE.health, "the proxy waits for the image's health check"
    assert f"chown {IMAGE.user.partition(':')[0]} keys.json" in TEXT
    assert SERVICES["proxy"]["environment"]["TOOLS_NODES"].split() == [f"{each}:{IMAGE.port}" for each in NODES]


def test_only_the_proxy_is_believed_and_only_nodes_reach_redis() -> None:
    [subnet] = [each["subnet"] for each in FILE["networks"]["web"]["ipam"]["config"]]
    assert {SERVICES[each]["environment"]["MCP_APP_TRUSTED_PROXIES"] for each in NODES} == {subnet}
    assert FILE["networks"]["log"] == {"internal": True}
    assert SERVICES["redis"]["networks"] == ["log"]
    assert SERVICES["proxy"]["networks"] == ["web"]
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]


# --- its services as processes ---------------------------------------------------------------------------------------


def keys_command() -> str:
    [command] = re.findall(r"# +mcp-app (keys add NAME --file \S+)", TEXT)
    return str(command)


@contextmanager
def started(
    command: list[str], folder: Path, environment: Mapping[str, str], ready: Callable[[], bool]
) -> Iterator[None]:
    with (folder / f"{Path(command[0]).name}.log").open("w") as log:
        child = subprocess.Popen(command, cwd=folder, env={**os.environ, **environment}, stdout=log, stderr=log)
    try:
        eventually(lambda: child.poll() is not None or ready())
        assert child.poll() is None, Path(log.name).read_text()
        yield
    finally:
        child.terminate()
        late = is_late(child)
    assert not late, log.name


@contextmanager
def up(folder: Path, program: Callable[[str], str]) -> Iterator[tuple[str, str, dict[str, LiveServer]]]:
    """The URL of the proxy, a key, and each node."""
    place = {name: free_port() for name in SERVICES}
    names = {f"{name}:{port}": f"127.0.0.1:{place[name]}" for name, port in (("node-1", 8000), ("node-2", 8000))}
    names |= {"redis:6379": f"127.0.0.1:{place['redis']}", "/run/secrets/keys": str(folder / "keys.json")}
    names |= {"172.30.0.0/24": "127.0.0.0/8"}
    chosen = {"MCP_APP_SECRET": "5a" * 16}

    def environment(service: str) -> dict[str, str]:
        values = {name: interpolated(value, chosen) for name, value in SERVICES[service]["environment"].items()}
        for old, new in names.items():
            values = {name: value.replace(old, new) for name, value in values.items()}
        return values

    words = shlex.split(keys_command())
    made = subprocess.run(
        [sys.executable, "-m", "mcp_app", *words, "--json"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=START_SECONDS,
        check=True,
    )
    (folder / "hypercorn.toml").write_text((DEPLOY / "hypercorn.toml").read_text())
    (folder / "tools.py").write_text((ROOT / "examples" / "hello.py").read_text())
    (folder / "Caddyfile").write_text(_OPTIONS + (DEPLOY / "Caddyfile").read_text())
    server, *options = SERVICES["redis"]["command"]
    redis = [program(server), *options, "--port", str(place["redis"]), "--bind", "127.0.0.1", "--dir", str(folder)]
    _, *check = SERVICES["redis"]["healthcheck"]["test"]
    asked = [str(Path(redis[0]).parent / check[0]), "-p", str(place["redis"]), *check[1:]]
    caddy = [program("caddy"), "run", "--adapter", "caddyfile", "--config", "Caddyfile"]
    url = f"https://localhost:{place['proxy']}"
    own = environment("proxy") | {"TOOLS_NAME": url, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with ExitStack() as running:
        running.enter_context(started(redis, folder, {}, lambda: b"PONG" in _output(asked)))
        entry = [sys.executable, "-m", "mcp_app", *IMAGE.command[1:]]
        nodes = {
            each: running.enter_context(
                process(
                    *("--bind", f"127.0.0.1:{place[each]}"), cwd=folder, env=environment(each), command=entry, schemes=1
                )
            )
            for each in NODES
        }
        running.enter_context(started(caddy, folder, own, lambda: _status(url) == 200))
        yield url, str(json.loads(made.stdout)["key"]), nodes


def _output(command: list[str]) -> bytes:
    return subprocess.run(command, capture_output=True, timeout=START_SECONDS, check=False).stdout


def _status(url: str) -> int:
    try:
        return httpx.get(f"{url}/healthz", verify=False, headers={"Host": "localhost"}, timeout=SECONDS).status_code
    except httpx.TransportError:
        return 0


@pytest.mark.needs("caddy", "redis-server")
@pytest.mark.time_bound(120)
def test_its_services_work_together(program: Callable[[str], str], tmp_path: Path) -> None:
    with (
        up(tmp_path, program) as (url, key, nodes),
        httpx.Client(http2=True, verify=False, timeout=SECONDS, headers={"Host": "localhost"}) as caller,
    ):
        assert caller.post(f"{url}/api/v1/mcp/sse", json={"tool": "hello"}).status_code == 401
        assert caller.get(f"{url}/metrics").status_code == 403
        caller.headers["Authorization"] = f"Bearer {key}"
        begun = caller.post(f"{url}/api/v1/mcp/runs", json={"tool": "countdown", "params": {"start": 3}})
        assert begun.status_code == 202, begun.text
        # Either node knows of it, whichever works on it.
        for node in nodes.values():
            with caller.stream("GET", f"{node.url}{begun.json()['events_url']}") as events:
                assert '"lift-off"' in events.read().decode()
        assert caller.get(url + begun.json()["url"]).json()["data"] == "lift-off"
        manifest = caller.get(f"{url}/mcp.json").text
        assert "https://localhost/api/v1/mcp/sse" in manifest


def test_without_a_secret_it_says_how_to_make_one() -> None:
    with pytest.raises(KeyError, match="make one, as the first lines of"):
        interpolated(SERVICES["node-1"]["environment"]["MCP_APP_SECRET"], {})
    assert "openssl rand -hex 16) >.env" in TEXT
