"""What an application is told of a connection's TLS: ASGI's TLS extension, version 0.2.

https://asgi.readthedocs.io/en/latest/specs/tls.html. Read once for each connection; nothing is verified here.
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import Any

TLS_KEY = "tls"
"""Of the extension in a scope, which has none where the connection is not secured."""

_VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}
"""RFC 8446, 4.2.1."""


def tls_extension(tls: ssl.SSLObject | ssl.SSLSocket) -> dict[str, Any]:
    """The extension of a connection whose handshake is complete.

    Of a client's chain there is its own certificate, as no Python before 3.13 tells the others; one that TLS could not
    verify is not there, as its handshake failed. The server's own certificate is not repeated to each request.
    """
    certificate = tls.getpeercert(binary_form=True) if tls.context.verify_mode is not ssl.CERT_NONE else None
    subject = (tls.getpeercert() or {}).get("subject", ()) if certificate else ()
    return {
        "server_cert": None,
        "client_cert_chain": [ssl.DER_cert_to_PEM_cert(certificate)] if certificate else [],
        "client_cert_name": _distinguished_name(subject) if certificate else None,
        "client_cert_error": None,
        "tls_version": _VERSIONS.get(tls.version() or ""),
        "cipher_suite": _cipher_suite(cipher[0]) if (cipher := tls.cipher()) else None,
    }


@lru_cache(maxsize=64)
def _cipher_suite(name: str) -> int | None:
    """Its number (RFC 8446, B.4), which OpenSSL gives with the protocol before it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    return next((cipher["id"] & 0xFFFF for cipher in context.get_ciphers() if cipher["name"] == name), None)


_SHORT_NAMES = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}
"""RFC 4514, 3; OpenSSL's names of other attributes are kept."""


def _distinguished_name(subject: Any) -> str:
    """RFC 4514, 2.1: the last part first."""
    parts = ("+".join(f"{_SHORT_NAMES.get(name, name)}={_escaped(value)}" for name, value in part) for part in subject)
    return ",".join(reversed(list(parts)))


def _escaped(value: str) -> str:
    """RFC 4514, 2.4."""
    text = "".join(f"\\{each}" if each in '"+,;<>\\' else each for each in value).replace("\0", "\\00")
    if len(value) > 1 and value.endswith(" "):
        text = text[:-1] + "\\ "
    return "\\" + text if value.startswith((" ", "#")) else text
