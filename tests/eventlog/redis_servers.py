"""Real redis-servers on loopback: one, a primary with a replica and Sentinels, a Cluster. Not a test.

Each has a port that was free and a temporary directory, and is ended with the block that has started it.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from live_server import eventually
from programs import path_of
from redis.backoff import NoBackoff
from redis.retry import Retry

START_SECONDS = 30.0
"""Generous: two cores, and other tests on them."""

# What a Cluster's nodes say among themselves is at the port 10000 above.
_PORTS = iter(range(0))


def free_port() -> int:
    """Below 30000: the kernel gives none of these to clients, and 10000 more is still a port."""
    global _PORTS
    while True:
        for port in _PORTS:
            if _is_free(port) and _is_free(port + 10_000):
                return port
        _PORTS = iter(range(20_000 + (time.monotonic_ns() // 1000) % 8_000, 30_000))


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass
class Server:
    """A redis-server. `start` after `kill` has all that was answered: with appendfsync always, as with everysec Redis
    puts off not only the fsync but the write itself while an fsync is under way, and loses up to two seconds."""

    directory: Path
    options: Mapping[str, object]
    port: int = field(default_factory=free_port)
    sentinel: bool = False
    tls: bool = False
    password: str | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Without waiting until it answers."""
        self.directory.mkdir(exist_ok=True)
        config = self.directory / "redis.conf"
        if not (self.sentinel and config.exists()):  # a Sentinel writes what it knows into its own
            config.write_text(self._config())
        command = [str(path_of("redis-server")), str(config), *(["--sentinel"] if self.sentinel else [])]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.directory)

    def wait(self) -> None:
        """Until it answers."""
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                with self.client() as client:
                    client.ping()
                return
            except (redis.ConnectionError, redis.ResponseError, redis.TimeoutError):
                assert time.monotonic() < until, (self.directory / "log").read_text()[-2000:]
                time.sleep(0.02)

    def client(self, **options: Any) -> redis.Redis:
        if self.tls:
            options = {"ssl": True, "ssl_ca_certs": str(self.options["tls-ca-cert-file"]), **options}
        return redis.Redis(
            host="127.0.0.1",
            port=self.port,
            password=self.password,
            socket_timeout=5,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            **options,
        )

    def kill(self) -> None:
        """As a machine that is switched off."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(START_SECONDS)

    def stop(self) -> None:
        """SIGSTOP: it is there and does not answer."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def _config(self) -> str:
        given: dict[str, object] = {
            "bind": "127.0.0.1",
            "protected-mode": "no",
            "dir": self.directory,
            ("tls-port" if self.tls else "port"): self.port,
            **({"port": 0} if self.tls else {}),
            **({} if self.sentinel else {"save": '""', "appendonly": "yes", "appendfsync": "always"}),
            **self.options,
        }
        lines = [(name, each) for name, value in given.items() for each in (value if type(value) is list else [value])]
        return "".join(f"{name} {value}\n" for name, value in lines)


@contextlib.contextmanager
def server(directory: Path, **options: object) -> Iterator[Server]:
    """One server. `maxmemory_policy="noeviction"` is what redis.conf calls maxmemory-policy."""
    with ended([Server(directory, {name.replace("_", "-"): value for name, value in options.items()})]) as (one,):
        one.start()
        yield one


@contextlib.contextmanager
def ended(servers: list[Server]) -> Iterator[list[Server]]:
    try:
        yield servers
    finally:
        for each in servers:
            if each.process is not None and each.process.poll() is None:
                each.kill()
            shutil.rmtree(each.directory, ignore_errors=True)


@contextlib.contextmanager
def replicated(directory: Path) -> Iterator[list[Server]]:
    """A primary, and a replica of it."""
    quick = {"repl-diskless-sync-delay": 0}
    with ended([Server(directory / name, quick) for name in ("one", "two")]) as servers:
        servers[0].start()
        servers[1].options = {**quick, "replicaof": f"127.0.0.1 {servers[0].port}"}
        servers[1].start()
        with servers[1].client() as replica:
            eventually(lambda: replica.info("replication")["master_link_status"] == "up")
        yield servers


def in_step(servers: list[Server]) -> None:
    """Until the replica has everything."""
    with servers[0].client() as primary, servers[1].client() as replica:
        primary.set("written", 1)
        eventually(lambda: replica.get("written") is not None)
        primary.delete("written")


@contextlib.contextmanager
def watched(directory: Path, service: str) -> Iterator[tuple[list[Server], list[Server]]]:
    """A primary with a replica, and three Sentinels that make the replica the primary within two seconds."""
    sentinels = [Server(directory / f"sentinel{at}", {}, sentinel=True) for at in range(3)]
    with replicated(directory) as data, ended(sentinels):
        for each in sentinels:
            each.options = {
                "sentinel": [
                    f"monitor {service} 127.0.0.1 {data[0].port} 2",
                    f"down-after-milliseconds {service} 500",
                    f"failover-timeout {service} 2000",
                ]
            }
            each.start()
        for each in sentinels:
            with each.client() as client:
                eventually(lambda client=client: _knows_all(client, service))
        yield data, sentinels


def _knows_all(client: redis.Redis, service: str) -> bool:
    told = client.sentinel_master(service)
    return bool(told["num-other-sentinels"] == 2 and told["num-slaves"] == 1)


SLOTS = 16384


@contextlib.contextmanager
def cluster(directory: Path, masters: int = 3) -> Iterator[list[Server]]:
    """A Cluster of so many primaries without replicas."""
    options = {"cluster-enabled": "yes", "cluster-node-timeout": 2000, "cluster-config-file": "nodes.conf"}
    with ended([Server(directory / f"node{at}", options) for at in range(masters)]) as nodes:
        for at, each in enumerate(nodes):
            each.start()
            with each.client() as client:
                first, last = SLOTS * at // masters, SLOTS * (at + 1) // masters - 1
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
                client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", at + 1)
                if at:
                    client.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
        for each in nodes:
            with each.client() as client:
                eventually(lambda client=client: _is_whole(client, masters))
        yield nodes


def _is_whole(client: redis.Redis, masters: int) -> bool:
    told = client.execute_command("CLUSTER INFO")
    return bool(told["cluster_state"] == "ok" and int(told["cluster_known_nodes"]) == masters)
