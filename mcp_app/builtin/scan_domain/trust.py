"""TLS contexts: those that believe only trusted certificates, and one that believes all in order to describe them.

No sockets here. A context is cached by what it is made from: loading the roots takes some 20 ms of a core.
"""

import ssl
from functools import lru_cache
from pathlib import Path

import certifi

BOTH = ("h2", "http/1.1")
"""ALPN names of a client that speaks both (RFC 9113, 3.2)."""

OLD_ONLY = ("http/1.1",)


def load(ca_file: Path | None) -> None:
    """Make the contexts of a scan, for later calls to find in the cache. It reads files: to be called in a thread."""
    for alpn in (BOTH, OLD_ONLY):
        verifying(ca_file, alpn)
        describing(alpn)
    judging(ca_file)


@lru_cache(maxsize=8)
def verifying(ca_file: Path | None, alpn: tuple[str, ...]) -> ssl.SSLContext:
    """As a browser would judge: system roots (certifi's where the system has none), and `ca_file` besides.

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
    """Verifies certificates as `verifying` does, over whatever protocol and cipher: the verdict is on them alone."""
    context = verifying.__wrapped__(ca_file, BOTH)
    _take_all(context)
    return context


@lru_cache(maxsize=8)
def describing(alpn: tuple[str, ...]) -> ssl.SSLContext:
    """Accepts any certificate, and any protocol and cipher OpenSSL still has: to say what is wrong with them.

    Used to look at public data only; nothing secret is ever sent over it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _take_all(context)
    context.set_alpn_protocols(list(alpn))
    return context


def _take_all(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT@SECLEVEL=0")
