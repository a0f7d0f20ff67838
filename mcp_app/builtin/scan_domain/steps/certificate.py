"""Step `tls`: two handshakes. The first accepts everything, to describe it; the second judges the certificate.

An invalid certificate is described, not just refused. No HTTP here; certificates are parsed in `x509_facts.py`.
"""

import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import httpcore
from cryptography import x509

from mcp_app import outgoing
from mcp_app.builtin.scan_domain.finding import finding
from mcp_app.builtin.scan_domain.quoting import quoted
from mcp_app.builtin.scan_domain.report import TlsStep
from mcp_app.builtin.scan_domain.scope import Scope
from mcp_app.builtin.scan_domain.steps.x509_facts import (
    describe,
    expires_soon,
    is_self_signed,
    matches,
    names_of,
    weaknesses,
)
from mcp_app.builtin.scan_domain.trust import BOTH, describing, judging

MAX_CHAIN = 10
"""Certificates read of one chain. Public chains have two to four."""

OLD_PROTOCOLS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1")
"""As OpenSSL names them; RFC 8996 and RFC 7568 forbid them."""


@dataclass(frozen=True)
class Handshake:
    """The results of one handshake."""

    address: str
    protocol: str
    cipher: str
    alpn: str | None
    chain: tuple[bytes, ...]
    """DER, as the server sent it."""


async def check_tls(step: TlsStep, scope: Scope) -> None:
    """Fill the step. Raises Unreachable when not even the describing handshake succeeds."""
    seen = await shake(scope, describing(BOTH))
    step.address, step.protocol, step.cipher, step.alpn = seen.address, seen.protocol, seen.cipher, seen.alpn
    _judge_connection(step)
    try:
        chain = [x509.load_der_x509_certificate(der) for der in seen.chain[:MAX_CHAIN]]
        step.chain = [describe(each) for each in chain]
    except ValueError as exc:  # cryptography raises it for any violation of ASN.1 in a certificate
        step.valid = False
        step.add(finding("certificate_unreadable", quoted(str(exc), 200)))
        return
    if chain:
        _judge_dates(step, chain[0], scope)
        for weakness in weaknesses(chain[0]):
            step.add(weakness)
    await _judge_trust(step, scope, chain)
    step.summary = f"{step.protocol}, {step.cipher}, {'valid' if step.valid else 'not valid'}"


async def shake(scope: Scope, context: ssl.SSLContext) -> Handshake:
    """Connect, handshake, close. Raises Unreachable, or ssl.SSLCertVerificationError from a verifying context."""
    plain = await scope.backend.connect_tcp(scope.domain, scope.settings.https_port)
    secure = await _secured(plain, context, scope)
    try:
        tls: ssl.SSLObject = secure.get_extra_info("ssl_object")
        cipher = tls.cipher()
        return Handshake(
            address=outgoing.peer_of(plain),
            protocol=tls.version() or "",
            cipher=cipher[0] if cipher else "",
            alpn=tls.selected_alpn_protocol(),
            chain=_chain(tls),
        )
    finally:
        await secure.aclose()


async def _secured(
    plain: httpcore.AsyncNetworkStream, context: ssl.SSLContext, scope: Scope
) -> httpcore.AsyncNetworkStream:
    """Start TLS on the stream. When it fails, the scan closes `plain` with all its connections."""
    try:
        return await plain.start_tls(context, server_hostname=scope.domain, timeout=scope.settings.fetch_seconds)
    except httpcore.ConnectTimeout as exc:
        raise outgoing.Unreachable("timed_out", "the TLS handshake did not end in time") from exc
    except httpcore.ConnectError as exc:
        if isinstance(exc.__cause__, ssl.SSLCertVerificationError):
            raise exc.__cause__ from None
        raise outgoing.Unreachable("tls", "the TLS handshake failed; is this a TLS server?") from exc
    except OSError as exc:
        raise outgoing.Unreachable("no_connection", "the connection broke in the TLS handshake") from exc


def _chain(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    """The chain as presented. Public since Python 3.13; before that the same method of the object beneath."""
    if sys.version_info >= (3, 13):
        return tuple(tls.get_unverified_chain())
    beneath = getattr(tls, "_sslobj", None)
    if beneath is not None and hasattr(beneath, "get_unverified_chain"):
        return tuple(ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in beneath.get_unverified_chain() or ())
    own = tls.getpeercert(binary_form=True)
    return (own,) if own else ()


def _judge_connection(step: TlsStep) -> None:
    if step.protocol in OLD_PROTOCOLS:
        step.add(finding("protocol_old", step.protocol))
    elif step.protocol != "TLSv1.3":
        step.add(finding("protocol_not_newest", step.protocol))
    cipher = step.cipher or ""
    # Every cipher of TLS 1.3 is AEAD with forward secrecy; for older versions the name tells (RFC 9325, 4.2).
    aead = "GCM" in cipher or "CHACHA20" in cipher or "CCM" in cipher
    if step.protocol != "TLSv1.3" and not (aead and cipher.startswith(("ECDHE", "DHE"))):
        step.add(finding("cipher_weak", cipher))


def _judge_dates(step: TlsStep, leaf: x509.Certificate, scope: Scope) -> None:
    step.days_left = (leaf.not_valid_after_utc - scope.now).days
    if scope.now > leaf.not_valid_after_utc:
        step.add(finding("certificate_expired", f"on {leaf.not_valid_after_utc:%Y-%m-%d}"))
    elif scope.now < leaf.not_valid_before_utc:
        step.add(finding("certificate_not_yet_valid", f"before {leaf.not_valid_before_utc:%Y-%m-%d}"))
    elif expires_soon(leaf, scope.now):
        step.add(finding("certificate_expires_soon", f"in {step.days_left} days"))


async def _judge_trust(step: TlsStep, scope: Scope, chain: Sequence[x509.Certificate]) -> None:
    """OpenSSL's verdict with its reasons: it reports only the first one, so names and issuer are checked as well."""
    context = judging(scope.settings.ca_file)
    refused: ssl.SSLCertVerificationError | None = None
    try:
        await shake(scope, context)
    except ssl.SSLCertVerificationError as exc:
        refused = exc
    dated = {"certificate_expired", "certificate_not_yet_valid"} & {each.code for each in step.findings}
    step.valid = refused is None and not dated
    if refused is None:
        if step.valid:
            step.add(finding("certificate_ok", f"{step.days_left} days left"))
        return
    explained = bool(dated)
    if chain and not matches(chain[0], scope.domain):
        explained = True
        step.add(
            finding("certificate_wrong_name", f"it is for {', '.join(names_of(chain[0])[:5]) or 'no name at all'}")
        )
    if chain and is_self_signed(chain[0]):
        explained = True
        step.add(finding("certificate_self_signed"))
    # X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT(_LOCALLY), SELF_SIGNED_CERT_IN_CHAIN, UNABLE_TO_VERIFY_LEAF_SIGNATURE
    elif refused.verify_code in (2, 19, 20, 21) or not explained:
        step.add(finding("certificate_untrusted", refused.verify_message))
