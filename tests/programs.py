"""Programs and the like that some tests need and a machine may lack: how to find each, and how to get it.

Not a test, and no skipping here: conftest.py does that.
"""

from __future__ import annotations

import glob
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Needed:
    """Something outside of Python: any of `programs` on the path, or what `check` finds; and how to get it."""

    how: str
    programs: tuple[str, ...] = ()
    check: Callable[[], bool] = lambda: False


def _ipv6_loopback() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def _containers() -> bool:
    """Mounts and a network of their own."""
    command = ["unshare", "--mount", "--net", "chroot", "/", "nsenter", "--version"]
    return sys.platform == "linux" and os.geteuid() == 0 and _succeeds(command)


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0
    except OSError:
        return False


NEEDED: Mapping[str, Needed] = {
    "apache2": Needed("apt-get install apache2-bin", ("apache2",)),
    "caddy": Needed("apt-get install caddy", ("caddy",)),
    "chromium": Needed("apt-get install chromium", ("chromium", "chromium-browser", "google-chrome")),
    "curl": Needed("apt-get install curl", ("curl",)),
    "fish": Needed("apt-get install fish", ("fish",)),
    "h2load": Needed("apt-get install nghttp2-client", ("h2load",)),
    "haproxy": Needed("apt-get install haproxy", ("haproxy",)),
    "nginx": Needed("apt-get install nginx-light", ("nginx",)),
    "node": Needed("apt-get install nodejs", ("node", "nodejs")),
    "openssl": Needed("apt-get install openssl", ("openssl",)),
    "postgres": Needed("apt-get install postgresql", ("postgres",)),
    "redis-server": Needed("apt-get install redis-server", ("redis-server",)),
    "systemd-analyze": Needed("apt-get install systemd", ("systemd-analyze",)),
    "valgrind": Needed("apt-get install valgrind", ("valgrind",)),
    "varnishd": Needed("apt-get install varnish", ("varnishd",)),
    "zsh": Needed("apt-get install zsh", ("zsh",)),
    "containers": Needed("run the tests as root, on Linux, with util-linux", check=_containers),
    "ipv6": Needed("give the loopback interface the address ::1", check=_ipv6_loopback),
}


def path_of(name: str) -> str | None:
    """The path of the first program of NEEDED[name] that is installed. Servers are in sbin, which few have on PATH, and
    those of PostgreSQL in a folder for each version."""
    versions = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin", *versions])
    return next((found for each in NEEDED[name].programs if (found := shutil.which(each, path=path))), None)


def missing(names: tuple[str, ...]) -> list[str]:
    """For each that is not there: its name and how to get it."""
    unknown = [name for name in names if name not in NEEDED]
    if unknown:
        raise pytest.UsageError(f"needs({unknown[0]!r}): known are {', '.join(sorted(NEEDED))}")
    return [
        f"{name} ({NEEDED[name].how})" for name in names if path_of(name) is None and not NEEDED[name].check()
    ]  # fmt: skip
