"""Build the environments of environments.toml into .venv-clients/, those that are not there yet: `make clients`.

    build.py [NAME…]

Nothing is tested here.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tomllib
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).parent
BUILT = HERE.parent.parent / ".venv-clients"
STAMP = "installed.json"
INSTALL_SECONDS = 400
"""For one environment, from a mirror that may be slow; most take 30 s."""

_WANTED = tomllib.loads((HERE / "environments.toml").read_text())


def python_of(name: str) -> Path:
    """The interpreter of a Python environment."""
    return BUILT / name / "bin" / "python"


def node() -> Path:
    return BUILT / "npm" / "node_modules" / f"node-{_platform()}" / "bin" / "node"


def is_built(name: str) -> bool:
    """Whether the environment is there, as it is wanted now."""
    stamp = BUILT / name / STAMP
    return stamp.is_file() and json.loads(stamp.read_text()) == wanted(name)


def names() -> list[str]:
    return [*_WANTED["python"], "npm"]


def wanted(name: str) -> list[str]:
    """What is to be installed into it."""
    if name == "npm":
        return [f"node-{_platform()}@{_WANTED['npm']['node']}", *_WANTED["npm"]["packages"]]
    packages: list[str] = _WANTED["python"][name]
    return packages


def build(name: str) -> None:
    """Raises CalledProcessError or TimeoutExpired when it cannot be built."""
    install: Callable[[Path, Sequence[str]], None] = _npm if name == "npm" else _python
    install(BUILT / name, wanted(name))
    (BUILT / name / STAMP).write_text(json.dumps(wanted(name)))


def _python(directory: Path, packages: Sequence[str]) -> None:
    venv.create(directory, with_pip=True, clear=True, symlinks=True)
    command = [
        directory / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        *packages,
    ]
    subprocess.run(command, check=True, timeout=INSTALL_SECONDS)


def _npm(directory: Path, packages: Sequence[str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    subprocess.run([*command, "--prefix", str(directory), *packages], check=True, timeout=INSTALL_SECONDS)


def _platform() -> str:
    """As npm names it in the packages that carry Node.js."""
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(platform.machine().lower())
    return f"{platform.system().lower()}-{machine or platform.machine().lower()}"


def main(arguments: Sequence[str]) -> int:
    for name in arguments or names():
        if not is_built(name):
            print(f"Installing {', '.join(wanted(name))} ...", flush=True)
            try:
                build(name)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                print(f"{error}; once more, as a mirror may be in the middle of an update", flush=True)
                build(name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
