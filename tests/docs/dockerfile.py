"""Builds and runs a Dockerfile without Docker: its steps in a copy of this machine's root, written to in memory only.

Not a test. As much of the language is read as docs/deploy uses; what is not known is an error. In the place of the base
image is this machine with the tests' own Python in /usr/local, where the image has its own. It needs root and Linux:
mounts, a network of its own with nothing but a loopback, and the user of the image.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from live_server import START_SECONDS, is_late

BASE_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
"""As the base image sets it."""

_LIBRARIES = {"LD_LIBRARY_PATH": "/usr/local/lib"}
"""An interpreter that was built for another place looks for its library there, where the image's user may not look."""


@dataclass
class Stage:
    """From one FROM to the next."""

    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Image:
    """What a Dockerfile says of a container beside its files."""

    stages: dict[str, Stage]
    arguments: dict[str, str]
    environment: dict[str, str]
    user: str
    directory: str
    port: int
    health: list[str]
    command: list[str]


def parse(text: str, arguments: Mapping[str, str]) -> Image:
    """Read a Dockerfile; `arguments` as `docker build --build-arg` has them."""
    image = Image({}, {}, {"PATH": BASE_PATH}, "root", "/", 0, [], [])
    for word, rest in _instructions(text):
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            image.stages[name or f"stage-{len(image.stages)}"] = Stage(base)
        elif word in ("COPY", "RUN", "WORKDIR", "ENV"):
            list(image.stages.values())[-1].steps.append((word, rest))
        elif word == "ARG":
            name, _, default = rest.partition("=")
            image.arguments[name] = arguments.get(name, default)
        elif word in _SAYS:
            _SAYS[word](image, rest)
        else:
            raise ValueError(f"unknown here: {word} {rest}")
    for word, rest in list(image.stages.values())[-1].steps:
        if word == "ENV":
            image.environment |= dict(each.split("=", 1) for each in shlex.split(rest))
        elif word == "WORKDIR":
            image.directory = rest
    return image


_SAYS: Mapping[str, Callable[[Image, str], None]] = {
    "USER": lambda image, rest: setattr(image, "user", rest),
    "EXPOSE": lambda image, rest: setattr(image, "port", int(rest)),
    "HEALTHCHECK": lambda image, rest: setattr(image, "health", json.loads(rest.partition("CMD ")[2])),
    # CMD stands behind ENTRYPOINT, in the file as in the command.
    "ENTRYPOINT": lambda image, rest: setattr(image, "command", json.loads(rest)),
    "CMD": lambda image, rest: setattr(image, "command", image.command + json.loads(rest)),
}


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n\s*", "", lines).splitlines():
        if line.strip():
            word, _, rest = line.partition(" ")
            yield word, rest.strip()


def context(root: Path, ignored: str, folder: Path) -> Path:
    """What goes to the builder: of `root` what a .dockerignore that begins with * lets through."""
    patterns = [line for line in ignored.splitlines() if line and not line.startswith("#")]
    assert patterns[0] == "*"
    for pattern in patterns[1:]:
        if pattern.startswith("!"):
            source, target = root / pattern[1:], folder / pattern[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
    return folder


def script(image: Image, context: Path, memory: Path, environment: Mapping[str, str]) -> str:
    """What builds the image in `memory`, a folder, and then becomes the container's process."""
    lines = ["set -eu", f"mount -t tmpfs tmpfs {memory}"]
    for name, stage in image.stages.items():
        assert re.fullmatch(r"python:3\.\d+-slim", stage.base), stage.base
        root = memory / name / "root"
        lines += [
            _copy_of("/", memory / name / "of", root),
            _copy_of(sys.base_prefix, memory / name / "local", root / "usr/local"),
            f"[ -e {root}/usr/local/bin/python ] || ln -s python3 {root}/usr/local/bin/python",
            f"mount --rbind /dev {root}/dev",
            f"mount -t proc proc {root}/proc",
            *_steps(stage, image.arguments, root, context, memory),
        ]
    uid, _, gid = image.user.partition(":")
    variables = [f"{name}={value}" for name, value in (image.environment | _LIBRARIES | dict(environment)).items()]
    run = [
        *("chroot", str(root), "setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs"),
        *("--bounding-set=-all", "--inh-caps=-all", "env", "-i", "-C", image.directory, *variables, *image.command),
    ]
    up = "import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', 1))"
    alone = [sys.executable, "-c", up]  # SIOCSIFFLAGS, netdevice(7)
    return "\n".join(
        [
            *lines,
            f"mount -o remount,bind,ro {root}",
            f"mount -o remount,bind,ro {root}/usr/local",
            f"mount -t tmpfs -o mode=1777 tmpfs {root}/tmp",
            f"exec unshare --net sh -c {shlex.quote(f'{shlex.join(alone)} && exec {shlex.join(run)}')}",
        ]
    )


def _copy_of(lower: str, memory: Path, root: Path) -> str:
    """What is written below `root` goes to `memory`."""
    layers = f"lowerdir={lower},upperdir={memory}/upper,workdir={memory}/work"
    return f"mkdir -p {memory}/upper {memory}/work {root} && mount -t overlay overlay -o {layers} {root}"


def _steps(stage: Stage, arguments: Mapping[str, str], root: Path, context: Path, memory: Path) -> Iterator[str]:
    directory, environment = "/", {"PATH": BASE_PATH, **_LIBRARIES, **arguments}
    for word, rest in stage.steps:
        if word == "WORKDIR":
            directory = rest
            yield f"mkdir -p {root}{directory}"
        elif word == "ENV":
            environment |= dict(each.split("=", 1) for each in shlex.split(rest))
        elif word == "COPY":
            source = context
            if match := re.match(r"--from=(\S+) ", rest):
                source, rest = memory / match[1] / "root", rest[match.end() :]
            *names, target = rest.split()
            target = os.path.normpath(os.path.join(directory, target)) + ("/" if target.endswith("/") else "")
            yield f"mkdir -p {root}{target if target.endswith('/') else os.path.dirname(target)}"
            yield (
                f"cp -a -T {source}/{names[0]} {root}{target}"
                if not target.endswith("/")
                else (f"cp -a {' '.join(f'{source}/{name}' for name in names)} {root}{target}")
            )
        else:
            command = re.sub(r"^--mount=\S+ ", "", rest)
            variables = [f"{name}={value}" for name, value in environment.items()]
            # As a shell of the image would: what the machine says of where packages are had stays.
            yield shlex.join(["chroot", str(root), "env", "-C", directory, *variables, "sh", "-c", command])


@dataclass
class Container:
    """One that runs: `log` is what its build and its process have said."""

    image: Image
    process: subprocess.Popen[bytes]
    log: Path

    def run(self, *command: str, root: bool = False) -> subprocess.CompletedProcess[str]:
        """Another command in it, as `docker exec` runs it."""
        uid, _, gid = ("0:0" if root else self.image.user).partition(":")
        enter = ["nsenter", f"--target={self.process.pid}", "--mount", "--net", "--root", f"--setuid={uid}"]
        variables = [f"{name}={value}" for name, value in (self.image.environment | _LIBRARIES).items()]
        full = [*enter, f"--setgid={gid}", "env", "-i", "-C", self.image.directory, *variables, *command]
        return subprocess.run(full, capture_output=True, text=True, timeout=START_SECONDS, check=False)


@contextmanager
def running(image: Image, context: Path, folder: Path, environment: Mapping[str, str]) -> Iterator[Container]:
    """Build `image` and run it: read-only, without a capability, with nothing to write to but /tmp."""
    (memory := folder / "memory").mkdir()
    log = folder / "container.log"
    (folder / "container.sh").write_text(script(image, context, memory, environment))
    words: Sequence[Any] = ["unshare", "--mount", "--propagation=private", "bash", folder / "container.sh"]
    with log.open("wb") as out:
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield Container(image, child, log)
    finally:
        if child.poll() is None:
            child.terminate()
        late = is_late(child)
    assert not late, log.read_text()
