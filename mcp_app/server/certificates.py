"""Where development certificates are kept, when they are made or renewed, and how a client is made to trust them.

What they contain is decided in `issuing`. Nothing here may replace a certificate that somebody else's authority signed,
leave a private key readable to others, or write a file in a way that a crash can leave half written.
"""

from __future__ import annotations

import fcntl
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


class Certificates(NamedTuple):
    """The four files of one directory. Only `authority` and `certificate` may be shown to anybody."""

    directory: Path

    @property
    def authority(self) -> Path:
        """The certificate authority: what a client has to trust."""
        return self.directory / "ca.pem"

    @property
    def authority_key(self) -> Path:
        """The authority's private key: it signs the next leaf, so that the trust by hand is given once."""
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
    """Where certificates belong: `certs/` of a project directory, else the user's state directory."""
    working = Path.cwd() if working is None else working
    if any((working / name).is_file() for name in PROJECT_FILES):
        return working / "certs"
    state = os.environ.get("XDG_STATE_HOME", "")
    # XDG Base Directory Specification: a relative path there is invalid and is to be ignored.
    root = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    return root / "mcp-app" / "certs"


def ensure(directory: Path, now: datetime | None = None) -> tuple[Certificates, bool]:
    """Have valid development certificates in `directory`: make what is missing, renew what is about to expire.

    Returns the files, and whether anything was written. Raises `StartError` when `cryptography` is not installed, the
    directory cannot be written, or what is there is not a certificate.
    """
    files = Certificates(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _only_one(directory):
            return files, _renew(files, datetime.now(UTC) if now is None else now)
    except ImportError as error:
        raise StartError(
            "development certificates need the 'cryptography' package: pip install 'mcp-app[certs]', "
            "or name a certificate you have as certfile and keyfile in hypercorn.toml"
        ) from error
    except OSError as error:
        raise StartError(f"cannot keep certificates in {directory}: {error.strerror or error}") from error


def how_to_trust(files: Certificates) -> str:
    """The lines to print: how each kind of client is made to trust the authority."""
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
def _only_one(directory: Path) -> Iterator[None]:
    """Two servers started at once must not sign with two authorities and keep one."""
    descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _renew(files: Certificates, now: datetime) -> bool:
    from mcp_app.server import issuing

    if files.certificate.exists() and not _ours_to_replace(files.certificate):
        return False
    authority = _read(files.authority, files.authority_key)
    leaf = _read(files.certificate, files.key)
    # An authority that ends before the leaf it would sign makes a leaf that fails early: make a new one instead.
    if authority is None or not authority.lasts(now, issuing.LEAF_LIFE):
        authority = issuing.make_authority(now)
        _write(files.authority, files.authority_key, authority)
    elif leaf is not None and leaf.lasts(now, issuing.RENEW_BEFORE) and leaf.signed_by(authority):
        return False
    _write(files.certificate, files.key, issuing.make_leaf(authority, now))
    return True


def _ours_to_replace(certificate: Path) -> bool:
    from mcp_app.server import issuing

    try:
        return issuing.is_ours(certificate.read_bytes())
    except ValueError:
        raise StartError(f"{certificate} is not a PEM certificate: remove it, or put yours there") from None


def _read(certificate: Path, key: Path) -> Issued | None:
    from mcp_app.server.issuing import Issued

    if not certificate.exists() or not key.exists():
        return None
    return Issued.parse(certificate.read_bytes(), key.read_bytes())


def _write(certificate: Path, key: Path, issued: Issued) -> None:
    """The key first: a certificate without its key is replaced at the next start, a pair that disagrees also is."""
    _write_file(key, issued.key_pem(), 0o600)
    _write_file(certificate, issued.certificate_pem(), 0o644)


def _write_file(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all; never readable to others on the way (mkstemp makes the file with mode 0600)."""
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
