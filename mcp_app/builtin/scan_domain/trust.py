"""TLS contexts: some that accept only trusted certificates, and one that accepts all in order to describe them.

No sockets here. Contexts are cached by their parameters: loading the roots takes some 20 ms of CPU time.
"""

import ssl
from functools import lru_cache
from pathlib import Path

import certifi

BOTH = ("h2", "http/1.1")
"""ALPN names of a client that speaks both (RFC 9113, 3.2)."""

OLD_ONLY = ("http/1.1",)


def load(ca_file: Path | None) -> None:
    """Create the contexts of a scan and cache them for later calls. It reads files: call it in a thread."""
    for alpn in (BOTH, OLD_ONLY):
        verifying(ca_file, alpn)
        describing(alpn)
    judging(ca_file)


@lru_cache(maxsize=8)
def verifying(ca_file: Path | None, alpn: tuple[str, ...]) -> ssl.SSLContext:
    """Verifies like a browser: system roots (certifi's where the system has none), plus those in `ca_file`.

    httpcore sets ALPN on the context it is given, so contexts with different ALPN must be different objects.
    Raises OSError when `ca_file` cannot be read (ssl.SSLError when it is not PEM).
    """
    context = ssl.create_default_context()
    if context.cert_store_stats()["x509_ca"] == 0:
        context.load_verify_locations(certifi.where())
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    context.set_alpn_protocols(list(alpn))
    return context


@lru_cache(maxsize=2)
def judging(ca_file: Path | None) -> ssl.SSLContext:
    """Verifies certificates like `verifying`, but allows any protocol and cipher: only the certificate is judged."""
    context = verifying.__wrapped__(ca_file, BOTH)
    _allow_all(context)
    return context


@lru_cache(maxsize=8)
def describing(alpn: tuple[str, ...]) -> ssl.SSLContext:
    """Accepts any certificate, and any protocol and cipher that OpenSSL still has: to report their problems.

    Used for public data only; nothing secret is ever sent over it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _allow_all(context)
    context.set_alpn_protocols(list(alpn))
    return context


def _allow_all(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT@SECLEVEL=0")
