"""The certificate a configuration is served with: the configured one, or development certificates if allowed.

Those are created only for a server that no other machine can reach, and only if the configuration names the place that
`mcp-app certs` writes to. The content of a certificate is not known here.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from hypercorn.config import Config

from mcp_app.server.addresses import exposed_binds
from mcp_app.server.certificates import Certificates, NoCertificates, default_directory, ensure
from mcp_app.server.configuration import Source, without_tls

DEFAULT_FILES = ("certs/cert.pem", "certs/key.pem")
"""certfile and keyfile as shipped: where `mcp-app certs` keeps a project's certificates."""


class Development(NamedTuple):
    """Development certificates in use, and whether they were created just now."""

    files: Certificates
    made: bool


class TlsOff(NamedTuple):
    """There is no certificate, and plain HTTP is served in its place."""

    reason: str


def provide(config: Config, source: Source, working: Path | None = None) -> Development | TlsOff | None:
    """Ensure that the certificate of `config` exists, creating or renewing development certificates where allowed.

    Sets `certfile` and `keyfile` of `config` to their paths. Returns None if the certificate is the user's own, or
    there is none. If development certificates cannot be created, `config` is reduced to its `insecure_bind`, provided
    that only this machine can reach it. Raises `StartError` if a file is missing and may not be created.
    """
    if not config.ssl_enabled:
        return None
    working = Path.cwd() if working is None else working
    if (config.certfile, config.keyfile) != DEFAULT_FILES:
        _must_exist(config, source)
        return None
    exposed = exposed_binds([*config.bind, *config.insecure_bind])
    try:
        return _development(config, source, working, may_make=not exposed)
    except NoCertificates as error:
        if exposed or not config.insecure_bind:
            raise
        without_tls(config)
        return TlsOff(str(error))


def _development(config: Config, source: Source, working: Path, *, may_make: bool) -> Development | None:
    files = Certificates(default_directory(working))
    if files.directory != working / "certs" and all((working / name).is_file() for name in DEFAULT_FILES):
        return None  # not a project, but the user has put a certificate exactly where the configuration says
    made = False
    if may_make:
        files, made = ensure(files.directory)
    config.certfile, config.keyfile = str(files.certificate), str(files.key)
    _must_exist(config, source)
    return Development(files, made)


def _must_exist(config: Config, source: Source) -> None:
    for key in ("certfile", "keyfile"):
        path = Path(getattr(config, key))
        try:
            path.open("rb").close()
        except OSError as error:
            raise source.error(
                key,
                f"{path}: {error.strerror or error}: put your certificate there, make one for development with "
                "'mcp-app certs', or serve without TLS (--no-tls)",
            ) from error
    if config.ca_certs is not None and not Path(config.ca_certs).is_file():
        raise source.error("ca_certs", f"{config.ca_certs}: no such file")
