"""The proxies of docs/deploy: how each is run with its file, and what of this machine replaces the example's.

Not a test. Nothing else of a file may be changed.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from doc_page import ROOT
from live_server import certificates, is_late

FILES = ROOT / "docs" / "deploy"
NAME = "tools.example.com"
SECONDS = 20.0
"""For anything to be seen."""

Swaps = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Place:
    """Where a proxy is run: what its file and its command are made with."""

    directory: Path
    upstreams: tuple[int, int]
    """The ports of the two nodes. A test of one node has nobody at the second."""
    port: int

    @property
    def pem(self) -> Path:
        """Certificate and key in one file, as HAProxy has them."""
        made, path = certificates(), self.directory / "both.pem"
        path.write_bytes(made.certificate.read_bytes() + made.key.read_bytes())
        return path


def _two_nodes(place: Place) -> Swaps:
    return tuple((f"127.0.0.1:{8000 + number}", f"127.0.0.1:{port}") for number, port in enumerate(place.upstreams))


@dataclass(frozen=True)
class Proxy:
    """`around` is what its distribution's own configuration has, made to run as anybody in a directory of its own."""

    file: str
    swaps: Callable[[Place], Swaps]
    """Of its own address and its certificate."""
    command: Callable[[str, Place], Sequence[str]]
    below: Swaps
    """What makes it serve below /tools and take that off, as docs/how-to-deploy.md says."""
    around: Callable[[Place, str], str] = lambda _, text: text
    nodes: Callable[[Place], Swaps] = _two_nodes
    tls: bool = True
    at_once: bool = True
    """Leaving a JSON answer is noticed, too."""
    environment: Callable[[Place], Mapping[str, str]] = field(default=lambda _: {})
    stopped: int = 0
    """Its exit status when it is told to stop."""

    def text(self, place: Place, *, below: bool = False) -> str:
        text = _code((FILES / self.file).read_text())
        for old, new in (*self.nodes(place), *self.swaps(place), *(self.below if below else ())):
            assert text.count(old) == 1, (self.file, old)
            text = text.replace(old, new)
        return self.around(place, text)


def _code(text: str) -> str:
    """Without the comments, which name addresses as well."""
    return "".join(f"{line}\n" for line in text.splitlines() if not line.lstrip().startswith("#"))


def _letsencrypt(_: Place) -> Swaps:
    made = certificates()
    return (
        (f"/etc/letsencrypt/live/{NAME}/fullchain.pem", str(made.certificate)),
        (f"/etc/letsencrypt/live/{NAME}/privkey.pem", str(made.key)),
    )


_NGINX = """
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
{text}
}}
"""

_APACHE_MODULES = (
    *("mpm_event", "authz_core", "env", "socache_shmcb", "ssl", "http2", "headers", "proxy", "proxy_http"),
    *("slotmem_shm", "proxy_balancer", "lbmethod_bybusyness", "proxy_hcheck"),
)

_APACHE = """
ServerRoot {directory}
PidFile apache.pid
ErrorLog /dev/stderr
Mutex posixsem
User #65534
Group #65534
ServerName localhost
Listen 127.0.0.1:{port}
{modules}
{text}
"""

_CADDY = """
{{
	admin off
	auto_https off
}}
{text}
"""


def _apache(place: Place, text: str) -> str:
    modules = "\n".join(f"LoadModule {each}_module /usr/lib/apache2/modules/mod_{each}.so" for each in _APACHE_MODULES)
    return _APACHE.format(directory=place.directory, port=place.port, modules=modules, text=text)


PROXIES: Mapping[str, Proxy] = {
    "nginx": Proxy(
        "nginx.conf",
        lambda place: (("listen 443 ", f"listen 127.0.0.1:{place.port} "), *_letsencrypt(place)),
        lambda program, place: [program, "-p", str(place.directory), "-c", "proxy.conf", "-e", "stderr"],
        (("location / {", "location /tools/ {"), ("proxy_pass http://mcp_app;", "proxy_pass http://mcp_app/;")),
        lambda _, text: _NGINX.format(text=text),
    ),
    "haproxy": Proxy(
        "haproxy.cfg",
        lambda place: (
            ("bind :443 ", f"bind 127.0.0.1:{place.port} "),
            (f"/etc/haproxy/{NAME}.pem", str(place.pem)),
            ("\ndefaults", "\nglobal\n    log stderr local0\ndefaults"),
        ),
        lambda program, place: [program, "-db", "-f", str(place.directory / "proxy.conf")],
        (("    default_backend ", "    http-request replace-path /tools(/.*) \\1\n    default_backend "),),
        stopped=-signal.SIGTERM,
    ),
    "caddy": Proxy(
        "Caddyfile",
        lambda place: (
            (
                f"{{$TOOLS_NAME:{NAME}}} {{",
                f"https://{NAME}:{place.port} {{\n\tbind 127.0.0.1\n\ttls {place.pem} {place.pem}",
            ),
        ),
        lambda program, place: [
            program, "run", "--adapter", "caddyfile", "--config", str(place.directory / "proxy.conf"),
        ],
        (("reverse_proxy ", "uri strip_prefix /tools\n\treverse_proxy "),),
        lambda _, text: _CADDY.format(text=text),
        environment=lambda place: {"XDG_DATA_HOME": str(place.directory), "XDG_CONFIG_HOME": str(place.directory)},
    ),
    "apache2": Proxy(
        "apache.conf",
        lambda place: (("*:443", f"127.0.0.1:{place.port}"), *_letsencrypt(place)),
        lambda program, place: [program, "-DFOREGROUND", "-f", str(place.directory / "proxy.conf")],
        (("ProxyPass / ", "ProxyPass /tools/ "),),
        _apache,
        at_once=False,
    ),
    "varnishd": Proxy(
        "varnish.vcl",
        lambda _: (),
        lambda program, place: [
            *(program, "-F", "-j", "none", "-n", str(place.directory / "varnish"), "-s", "malloc,16m"),
            *("-a", f"127.0.0.1:{place.port}", "-f", str(place.directory / "proxy.conf"), "-p", "send_timeout=86400"),
        ],
        (("    return (pass);", '    set req.url = regsub(req.url, "^/tools/", "/");\n    return (pass);'),),
        nodes=lambda place: (('"8000"', f'"{place.upstreams[0]}"'),),
        tls=False,
        at_once=False,
    ),
}  # fmt: skip


@contextmanager
def proxied(name: str, program: str, ports: Sequence[int], directory: Path, *, below: bool = False) -> Iterator[str]:
    """Run a proxy in front of the one or two nodes at `ports`, and yield its URL when it passes requests on."""
    proxy = PROXIES[name]
    first, second = (*ports, free_port())[:2]
    place = Place(directory / "proxy", (first, second), free_port())
    place.directory.mkdir()
    (place.directory / "proxy.conf").write_text(proxy.text(place, below=below))
    with (directory / "proxy.log").open("w+") as log:
        child = subprocess.Popen(
            proxy.command(program, place),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | proxy.environment(place),
        )
        try:
            url = f"{'https' if proxy.tls else 'http'}://127.0.0.1:{place.port}{'/tools' if below else ''}"
            _wait_for(f"{url}/healthz", child, log.name)
            yield url
        finally:
            child.terminate()
            late = is_late(child)
    assert not late, f"{name} did not stop; it said:\n{Path(log.name).read_text()}"
    assert child.returncode == proxy.stopped, f"exit status {child.returncode}:\n{Path(log.name).read_text()}"


def client(http2: bool = False) -> httpx.Client:
    """A client that has resolved the public name to this machine."""
    return httpx.Client(
        http2=http2, verify=False, timeout=SECONDS, headers={"Host": NAME}, event_hooks={"request": [_by_name]}
    )


def _by_name(request: httpx.Request) -> None:
    request.extensions["sni_hostname"] = NAME


def _wait_for(url: str, child: subprocess.Popen[bytes], log: str) -> None:
    until = time.monotonic() + SECONDS
    while True:
        with client() as one:
            try:
                if one.get(url).status_code == 200:
                    return
            except httpx.TransportError:
                pass
        assert child.poll() is None, Path(log).read_text()
        assert time.monotonic() < until, Path(log).read_text()
        time.sleep(0.05)


def free_port() -> int:
    """One at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
