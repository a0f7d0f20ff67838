"""Whose certificates are believed. No connection is made here, and there is no way to believe every certificate: who
has a certificate of their own names its authority instead.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx

from mcp_app.client.address import Address
from mcp_app.client.outcome import CallFailed, Status


def trust_for(address: Address, ca_file: Path | None) -> ssl.SSLContext | None:
    """What is believed for `address`; None for http, where there is nothing to believe.

    `ca_file` alone when it is given, as with curl's --cacert. Else the public authorities (or SSL_CERT_FILE's) and, for
    loopback only, the development authority that `mcp-app serve` made here: nobody else can answer on loopback, and for
    any other host a file in the working directory must not decide who is believed.
    Raises CallFailed when `ca_file` cannot be used.
    """
    if address.scheme != "https":
        return None
    if ca_file is not None:
        try:
            return ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise CallFailed(Status.REFUSED, f"--cacert {ca_file}: {_why(error)}", _WANTED) from error
    context = httpx.create_ssl_context()
    authority = _development_authority()
    if address.is_loopback and authority.is_file():
        try:
            context.load_verify_locations(cafile=authority)
        except (OSError, ssl.SSLError) as error:
            raise CallFailed(Status.REFUSED, f"{authority}: {_why(error)}", "Make it anew: mcp-app certs.") from error
    return context


_WANTED = "It takes a file of PEM certificates: the authority that signed the server's certificate."


def _development_authority() -> Path:
    # Imported here: the rest of the command does without anything of the server's.
    from mcp_app.server.certificates import Certificates, default_directory

    return Certificates(default_directory()).authority


def _why(error: OSError) -> str:
    return "not a file of PEM certificates" if isinstance(error, ssl.SSLError) else (error.strerror or str(error))
