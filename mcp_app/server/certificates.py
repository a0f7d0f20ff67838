"""Storage of development certificates: where they are, when they are created or renewed, and how clients can trust
them.

Their contents are defined in `issuing`. Nothing here may replace a certificate signed by another authority, leave a
private key readable to other users, or write a file in a way that a crash can leave half written.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mcp_app.server.errors import StartError

if TYPE_CHECKING:
    from mcp_app.server.issuing import Issued

PROJECT_FILES = ("pyproject.toml", "hypercorn.toml", "mcp.json")
"""A directory with one of these is a project: its certificates are kept in its own `certs/`."""


_ELSEWHERE = "set XDG_STATE_HOME to a directory that can be written"


class NoCertificates(StartError):
    """There are no development certificates and none can be made; plain HTTP can be served all the same."""


class Certificates(NamedTuple):
    """The four files of one directory. Only `authority` and `certificate` are public."""

    directory: Path

    @property
    def authority(self) -> Path:
        """The certificate authority that clients have to trust."""
        return self.directory / "ca.pem"

    @property
    def authority_key(self) -> Path:
        """The authority's private key: it signs the next leaf, so that users establish trust by hand only once."""
        return self.directory / "ca-key.pem"

    @property
    def certificate(self) -> Path:
        """The server's certificate (Hypercorn's `certfile`)."""
        return self.directory / "cert.pem"

    @property
    def key(self) -> Path:
        """The server's private key (Hypercorn's `keyfile`)."""
        return self.directory / "key.pem"


def default_directory(working: Path | None = None) -> Path:
    """The default location: `certs/` of a project directory, else the user's state directory.

    Raises `NoCertificates` for a user without either.
    """
    working = Path.cwd() if working is None else working
    if any((working / name).is_file() for name in PROJECT_FILES):
        return working / "certs"
    state = os.environ.get("XDG_STATE_HOME", "")
    # XDG Base Directory Specification: a relative path is invalid and must be ignored.
    if os.path.isabs(state):
        return Path(state) / "mcp-app" / "certs"
    try:
        return Path.home() / ".local" / "state" / "mcp-app" / "certs"
    except RuntimeError as error:  # a user id without an account, as in many containers
        raise NoCertificates(
            f"no home directory to keep certificates in: {_ELSEWHERE}, or serve without TLS (--no-tls)"
        ) from error


def ensure(directory: Path, now: datetime | None = None) -> tuple[Certificates, bool]:
    """Ensure valid development certificates in `directory`: create missing ones, renew those about to expire.

    Returns the files, and whether any was written. Raises `NoCertificates` if there is none and `cryptography` is not
    installed, or the directory cannot be written; `StartError` if an existing file is not a certificate.
    """
    files = Certificates(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _locked(directory):
            return files, _renew(files, datetime.now(UTC) if now is None else now)
    except ImportError as error:
        if files.certificate.exists() and files.key.exists():
            return files, False  # whose they are cannot be told: used as they are, as somebody else's would be
        raise NoCertificates(
            "development certificates need the 'cryptography' package: pip install cryptography, "
            "or name a certificate you have as certfile and keyfile in hypercorn.toml"
        ) from error
    except OSError as error:
        raise NoCertificates(
            f"cannot keep certificates in {directory}: {error.strerror or error}: {_ELSEWHERE}, "
            "or serve without TLS (--no-tls)"
        ) from error


def how_to_trust(files: Certificates) -> str:
    """Instructions to print: how each kind of client is made to trust the authority."""
    ca = files.authority.absolute()
    return (
        f"To trust the development certificate, give a client its authority, {ca}:\n"
        f"  curl      --cacert {ca}\n"
        f"  Python    SSL_CERT_FILE={ca}\n"
        f"  Node.js   NODE_EXTRA_CA_CERTS={ca}\n"
        f"  Chromium  chrome://certificate-manager, Custom, Installed by you, Trusted Certificates: import the file\n"
        f"  Debian    sudo cp {ca} /usr/local/share/ca-certificates/mcp-app.crt && sudo update-ca-certificates\n"
        f"  macOS     security add-trusted-cert -k ~/Library/Keychains/login.keychain-db {ca}"
    )


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Two servers started concurrently must not sign with two authorities and keep one."""
    import fcntl  # Windows has none, where `mcp-app call` needs the names of the files all the same

    descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _renew(files: Certificates, now: datetime) -> bool:
    from mcp_app.server import issuing

    if files.certificate.exists() and not _is_replaceable(files.certificate):
        return False
    authority = _read(files.authority, files.authority_key)
    leaf = _read(files.certificate, files.key)
    # A leaf outliving its authority would fail early: create a new authority instead.
    if authority is None or not authority.is_valid_for(now, issuing.LEAF_LIFE):
        authority = issuing.make_authority(now)
        _write(files.authority, files.authority_key, authority)
    elif leaf is not None and leaf.is_valid_for(now, issuing.RENEW_BEFORE) and leaf.signed_by(authority):
        return False
    _write(files.certificate, files.key, issuing.make_leaf(authority, now))
    return True


def _is_replaceable(certificate: Path) -> bool:
    from mcp_app.server import issuing

    try:
        return issuing.is_issued_here(certificate.read_bytes())
    except ValueError:
        raise StartError(f"{certificate} is not a PEM certificate: remove it, or put yours there") from None


def _read(certificate: Path, key: Path) -> Issued | None:
    from mcp_app.server.issuing import Issued

    if not certificate.exists() or not key.exists():
        return None
    return Issued.parse(certificate.read_bytes(), key.read_bytes())


def _write(certificate: Path, key: Path, issued: Issued) -> None:
    """The key first: a certificate without its key is replaced at the next start, and so is a mismatched pair."""
    _write_file(key, issued.key_pem(), 0o600)
    _write_file(certificate, issued.certificate_pem(), 0o644)


def _write_file(path: Path, content: bytes, mode: int) -> None:
    """Atomic; never readable to other users in between (mkstemp creates the file with mode 0600)."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
