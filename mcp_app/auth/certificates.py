"""`CertificateVerifier`: knows callers by the certificate that they showed when the connection was made.

TLS has verified it: its authority, its time and its purpose (mcp_app/server/tls_context.py, or another server's). Which
names may call is a setting's (mcp_app/config/client_certificates.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from ..config.client_certificates import DNS, SUBJECT, URI, CertificateRule, Names, first_match
from ..protocol.access import Access
from ..protocol.errors import Unauthorized
from ..protocol.scopes import Hierarchy
from ..web.messages import Request
from .verifier import CERTIFICATE, Verifier, VerifierError

MAX_PEM_CHARACTERS = 64 * 1024
"""Of a certificate. One is 1 to 4 KiB; its names are looked at once for each of its connections."""

_KNOWN_CERTIFICATES = 1024
"""Certificates whose names are remembered: to read them takes as long as three echoes."""


class _Certificate(NamedTuple):
    names: Names
    expires: float
    serial: str


class CertificateVerifier(Verifier):
    """Verifies callers by these rules; the certificate of who matches none is refused."""

    def __init__(
        self, rules: Sequence[CertificateRule], hierarchy: Hierarchy, now: Callable[[], float] = time.time
    ) -> None:
        """`now` is the clock, in Unix seconds."""
        self._now = now
        self._rules = tuple(rules)
        self._hierarchy = hierarchy
        self._access = lru_cache(maxsize=_KNOWN_CERTIFICATES)(self._access_of)

    def verify(self, request: Request) -> Access | None:
        """The access of the certificate; None for who showed none, or other credentials beside it, as a browser shows
        one wherever it is asked."""
        if request.certificate is None or "authorization" in request.headers:
            return None
        access = self._access(request.certificate)
        if access is None:
            raise Unauthorized("The client's certificate has no name that may call here.")
        if access.expires is not None and access.expires <= self._now():
            raise Unauthorized("The client's certificate has expired.")
        return access

    async def start(self) -> None:
        try:
            import cryptography.x509  # noqa: F401 - asked for now, and not by the first request
        except ImportError:
            raise VerifierError(
                "MCP_APP_CLIENT_CERTIFICATES needs cryptography, which is not installed: pip install cryptography"
            ) from None

    def _access_of(self, pem: str) -> Access | None:
        certificate = _read(pem)
        if certificate is None or (found := first_match(self._rules, certificate.names)) is None:
            return None
        kind, name, scopes = found
        granted = None if scopes is None else self._hierarchy.implied(scopes)
        principal = f"{CERTIFICATE}{kind}:{name}"
        return Access(principal, granted, expires=certificate.expires, credential=certificate.serial)


def _read(pem: str) -> _Certificate | None:
    """None for what is no certificate, or one that names nobody in a way that can be compared."""
    from cryptography import x509

    if len(pem) > MAX_PEM_CHARACTERS:
        return None
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        subject = certificate.subject.rfc4514_string()
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            uris = names.get_values_for_type(x509.UniformResourceIdentifier)
            hosts = names.get_values_for_type(x509.DNSName)
        except x509.ExtensionNotFound:
            uris, hosts = [], []
        expires = certificate.not_valid_after_utc.timestamp()
    except (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return None
    found = {
        URI: [_canonical_uri(uri) for uri in uris if _is_name(uri)],
        # A wildcard is whom a server may be, and nobody who calls.
        DNS: [host.lower().rstrip(".") for host in hosts if _is_name(host) and "*" not in host],
        SUBJECT: [subject] if _is_name(subject) else [],
    }
    return _Certificate(found, expires, f"{certificate.serial_number:x}")


def _is_name(text: str) -> bool:
    """Whether two of these are one name only if they look the same."""
    return bool(text) and text.isprintable()


def _canonical_uri(uri: str) -> str:
    """Scheme and authority in lower case (RFC 3986, 6.2.2.1)."""
    scheme, colon, rest = uri.partition(":")
    if not rest.startswith("//"):
        return scheme.lower() + colon + rest
    authority, slash, path = rest[2:].partition("/")
    return f"{scheme.lower()}://{authority.lower()}{slash}{path}"
