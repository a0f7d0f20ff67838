"""A PostgreSQL server of the tests' own: Debian's programs, a temporary folder, a free port, fast and not durable.

It refuses to be started by root, who has it started by an unprivileged user. No test and no fixture here.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

SECONDS = 30.0
"""Until the server has started, or stopped."""

PASSWORD = "pa:ss@w/rd"  # what has to be escaped in a URL, and must never be seen
ESCAPED = "pa%3Ass%40w%2Frd"
DATABASE = "shop"


class PostgresServer:
    """`start` and `stop` it as often as needed; its port and its data stay."""

    def __init__(self, postgres: str) -> None:
        """`postgres` is the path of the program; psql and initdb are beside it."""
        self._programs = Path(postgres).resolve().parent  # on the path there may be a link to it
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = _unprivileged()
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self._folder.chmod(0o755)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self.remove)
            self._initialise()
            self.start()
            on_failure.pop_all()

    def _initialise(self) -> None:
        password = self._folder / "password"
        password.write_text(PASSWORD)
        options = ["--pwfile", str(password), "--auth-local=trust", "--auth-host=scram-sha-256", "--username=admin"]
        self._run("initdb", "-D", str(self._folder / "data"), "--no-sync", "-E", "UTF8", "--locale=C", *options)

    def _run(self, program: str, *arguments: str, sql: str | None = None) -> str:
        done = subprocess.run(
            [self._programs / program, *arguments],
            cwd=self._folder,
            env={"LC_ALL": "C", "PATH": os.defpath},
            input=sql,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            **self._as,
        )
        assert done.returncode == 0, f"{program}: {done.stderr}"
        return done.stdout

    def start(self) -> None:
        """Returns when it takes connections."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self._folder,
            "fsync": "off",
            "shared_buffers": "16MB",
            "max_connections": 40,
            "autovacuum": "off",
            "max_wal_senders": 2,
            "log_min_messages": "fatal",  # an error may be one of 100 MB
            "log_min_error_statement": "panic",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._folder / "data", *options],
                cwd=self._folder,
                env={"LC_ALL": "C", "PATH": os.defpath},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._as,
            )
        until = time.monotonic() + SECONDS
        while not self._answers():
            has_failed = self._process.poll() is not None or time.monotonic() > until
            assert not has_failed, (self._folder / "log").read_text()
            time.sleep(0.05)

    def _answers(self) -> bool:
        ready = [self._programs / "pg_isready", "-q", "-h", str(self._folder), "-p", str(self.port), "-U", "admin"]
        return subprocess.run([*ready, "-d", "postgres"], timeout=SECONDS, check=False).returncode == 0

    def stop(self) -> None:
        """As an operator does who does not wait: sessions are told, and ended."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(SECONDS)
            self._process = None

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Its processes stand still: connections are taken by the kernel, and nothing is answered."""
        assert self._process is not None
        server = psutil.Process(self._process.pid)
        stopped = [server, *server.children()]
        for each in stopped:
            with contextlib.suppress(psutil.NoSuchProcess):  # the server of a psql that has just ended
                each.suspend()
        try:
            yield
        finally:
            for each in stopped:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.resume()

    def remove(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(SECONDS)
            self._process = None
        shutil.rmtree(self._folder)

    def sql(self, text: str, database: str = DATABASE) -> str:
        """Run statements as a superuser; each row is a line."""
        options = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self._folder), "-p", str(self.port)]
        return self._run("psql", *options, "-U", "admin", "-d", database, sql=text).rstrip("\n")

    def give_certificate(self, certificate: bytes, key: bytes) -> None:
        """Connections may be by TLS from now on."""
        for name, content in (("server.crt", certificate), ("server.key", key)):
            path = self._folder / "data" / name
            path.write_bytes(content)
            path.chmod(0o600)
            if self._as:
                os.chown(path, self._as["user"], self._as["group"])
        self.sql("alter system set ssl = on")
        self.sql("select pg_reload_conf()")
        until = time.monotonic() + SECONDS
        while self.sql("show ssl") != "on":
            assert time.monotonic() < until
            time.sleep(0.05)

    def url(self, role: str = "reader", *, password: str = ESCAPED, database: str = DATABASE, query: str = "") -> str:
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{database}{query}"


def _unprivileged() -> pwd.struct_passwd:
    """Debian's package makes the user postgres; any other machine has nobody."""
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise AssertionError("there is neither a user postgres nor nobody")
