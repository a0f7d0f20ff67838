"""The TLS of a call: whom it trusts, and what it shows of itself. No connection is made here, and verification cannot
be disabled: users with a self-signed certificate name its authority by --cacert instead.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx

from mcp_app.client.address import Address
from mcp_app.client.outcome import CallFailed, Status


def trust_for(address: Address, ca_file: Path | None) -> ssl.SSLContext | None:
    """The TLS context for `address`; None for http.

    With `ca_file`, only that authority is trusted, as with curl's --cacert. Else the public authorities (or
    SSL_CERT_FILE's) are and, for loopback only, the development authority that `mcp-app serve` created: only this
    machine can answer on loopback, and for any other host a file in the working directory must not add trust.
    Raises CallFailed if `ca_file` cannot be used.
    """
    if address.scheme != "https":
        return None
    if ca_file is not None:
        try:
            return ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise CallFailed(Status.REFUSED, f"--cacert {ca_file}: {_cause(error)}", _CACERT_ADVICE) from error
    context = httpx.create_ssl_context()
    authority = _development_authority() if address.is_loopback else None
    if authority is not None:
        try:
            context.load_verify_locations(cafile=authority)
        except (OSError, ssl.SSLError) as error:
            raise CallFailed(Status.REFUSED, f"{authority}: {_cause(error)}", "Make it anew: mcp-app certs.") from error
    return context


def show_certificate(tls: ssl.SSLContext | None, certificate: Path | None, key: Path | None) -> None:
    """Have the client show this certificate where the server asks for one. Raises CallFailed if that cannot be done."""
    if tls is None:
        raise CallFailed(Status.REFUSED, "--cert without TLS: nobody asks for it", "Call the https:// address.")
    if certificate is None:
        raise CallFailed(Status.REFUSED, "--key without --cert", "Name the certificate, too: --cert FILE.")
    try:
        # Without a password OpenSSL would ask for one on the terminal.
        tls.load_cert_chain(certificate, key, password=lambda: "")
    except OSError as error:
        named = f"--cert {certificate}" + ("" if key is None else f" --key {key}")
        reason = "no certificate with its key" if isinstance(error, ssl.SSLError) else (error.strerror or str(error))
        raise CallFailed(Status.REFUSED, f"{named}: {reason}", _CERT_ADVICE) from error


_CERT_ADVICE = (
    "It takes a file of PEM: your certificate and its private key without a passphrase; or name that by --key FILE."
)

_CACERT_ADVICE = "It takes a file of PEM certificates: the authority that signed the server's certificate."


def _development_authority() -> Path | None:
    """The file that is there; None if none is."""
    # Imported here: the rest of the command works without the server's modules.
    from mcp_app.server.certificates import Certificates, NoCertificates, default_directory

    try:
        authority = Certificates(default_directory()).authority
    except NoCertificates:
        return None  # a user without a home has made none
    return authority if authority.is_file() else None


def _cause(error: OSError) -> str:
    return "not a file of PEM certificates" if isinstance(error, ssl.SSLError) else (error.strerror or str(error))
