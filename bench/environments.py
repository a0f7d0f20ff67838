"""`python -m bench.environments [NAME…]`: what environments.toml lists, built into .venv-bench/ where it is missing.

An environment is built anew when what is wanted of it has changed. What runs in it is none of this module's business.
"""

from __future__ import annotations

import compileall
import hashlib
import json
import platform
import re
import subprocess
import sys
import tomllib
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
BUILT = ROOT / ".venv-bench"
STAMP = "installed.json"
INSTALL_SECONDS = 400
"""For one environment, from a mirror that may be slow; most take 30 s."""

_TABLES: Mapping[str, Mapping[str, list[str]]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())


def names() -> list[str]:
    """All environments of the table."""
    return [name for table in _TABLES.values() for name in table]


def is_npm(name: str) -> bool:
    return name in _TABLES["npm"]


def wanted(name: str) -> list[str]:
    """What is to be installed into it, as pip or npm reads it. Raises KeyError for a name that is not in the table."""
    listed = _TABLES["npm" if is_npm(name) else "python"][name]
    return [each.replace("{platform}", _platform()) for each in listed]


def path(name: str) -> Path:
    return BUILT / name


def interpreter(name: str) -> Path:
    """What runs a program of that environment."""
    if is_npm(name):
        return path("node") / "node_modules" / f"node-{_platform()}" / "bin" / "node"
    return path(name) / "bin" / "python"


def is_built(name: str) -> bool:
    """Whether the environment is there, as it is wanted now."""
    stamp = path(name) / STAMP
    return stamp.is_file() and json.loads(stamp.read_text()) == _stamp(name)


def build(name: str) -> None:
    """Raises CalledProcessError or TimeoutExpired when it cannot be built."""
    (_npm if is_npm(name) else _python)(path(name), wanted(name))
    (path(name) / STAMP).write_text(json.dumps(_stamp(name)))


def ensure(wanted_names: Sequence[str]) -> None:
    """Build those that are not there. Raises CalledProcessError or TimeoutExpired when a second attempt fails."""
    # pip compiles what it installs, but not what it installs as editable: each start would compile us again.
    compileall.compile_dir(ROOT / "mcp_app", quiet=1)
    for name in wanted_names:
        if is_built(name):
            continue
        print(f"Installing {', '.join(wanted(name))} ...", file=sys.stderr, flush=True)
        try:
            build(name)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            print(f"{error}; once more, as a mirror may be in the middle of an update", file=sys.stderr, flush=True)
            build(name)


def distributions(name: str) -> int:
    """How many distributions (npm: packages) are installed, without those that every new environment has."""
    if is_npm(name):
        lock = json.loads((path(name) / "package-lock.json").read_text())
        return sum(1 for each in lock["packages"] if each)
    found = {each.name.partition("-")[0].lower() for each in path(name).glob("lib/python*/site-packages/*.dist-info")}
    return len(found - {"pip", "setuptools"})


def version(name: str, package: str) -> str:
    """The version that is pinned there, or "" when the package is not pinned."""
    pin = re.compile(re.escape(package) + r"(?:\[\w+\])?(?:==|@)(.+)")
    return next((match[1] for each in wanted(name) if (match := pin.fullmatch(each))), "")


def _stamp(name: str) -> list[str]:
    """With pyproject.toml's text where the checkout itself is installed: its dependencies may have changed."""
    listed = wanted(name)
    own = any(each.startswith(".") for each in listed)
    return [*listed, hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()] if own else listed


def _python(directory: Path, packages: Sequence[str]) -> None:
    venv.create(directory, with_pip=True, clear=True, symlinks=True)
    arguments = [part for each in packages for part in (["--editable", each] if each.startswith(".") else [each])]
    command = [str(directory / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, *arguments], check=True, timeout=INSTALL_SECONDS, cwd=ROOT)


def _npm(directory: Path, packages: Sequence[str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    subprocess.run([*command, "--prefix", str(directory), *packages], check=True, timeout=INSTALL_SECONDS)


def _platform() -> str:
    """As npm names it in the packages that carry Node.js."""
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(platform.machine().lower())
    return f"{platform.system().lower()}-{machine or platform.machine().lower()}"


if __name__ == "__main__":
    ensure(sys.argv[1:] or names())
