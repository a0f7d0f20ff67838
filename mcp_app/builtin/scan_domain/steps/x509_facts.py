"""The fields of a certificate and its intrinsic weaknesses. Pure: no socket, and time is an argument."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from mcp_app.builtin.scan_domain.finding import Finding, finding
from mcp_app.builtin.scan_domain.quoting import quoted
from mcp_app.builtin.scan_domain.report import Certificate

MAX_NAMES = 50
"""Maximum names reported per certificate; some have thousands."""

SOON = timedelta(days=14)
"""Renewal of a 90-day certificate is due 30 days before its end; two weeks before it, renewal has failed."""

MIN_RSA_BITS = 2048
"""CA/Browser Forum Baseline Requirements, 6.1.5."""

MIN_EC_BITS = 256


def describe(certificate: x509.Certificate) -> Certificate:
    """The main fields of a certificate. Raises ValueError for one that does not parse."""
    return Certificate(
        subject=quoted(certificate.subject.rfc4514_string()),
        issuer=quoted(certificate.issuer.rfc4514_string()),
        names=[quoted(name) for name in names_of(certificate)[:MAX_NAMES]],
        not_before=certificate.not_valid_before_utc.isoformat(),
        not_after=certificate.not_valid_after_utc.isoformat(),
        serial=f"{certificate.serial_number:x}",
        key=" ".join(str(part) for part in _key(certificate) if part),
        signature_hash=_hash(certificate),
        sha256=certificate.fingerprint(hashes.SHA256()).hex(),
    )


def names_of(certificate: x509.Certificate) -> list[str]:
    """DNS names and IP addresses of subjectAltName. The subject's common name does not count (RFC 9525, 2)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):  # ValueError: an extension that does not parse has no names
        return []
    return [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]


def matches(certificate: x509.Certificate, domain: str) -> bool:
    """RFC 9525, 6.3: the same name, or `*` for exactly its leftmost label."""
    parent = domain.partition(".")[2]
    return any(name.lower() in (domain, f"*.{parent}") for name in names_of(certificate))


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Whether issuer and subject are equal. The signature is not checked: the trust store decides about trust."""
    return certificate.subject == certificate.issuer


def expires_soon(certificate: x509.Certificate, now: datetime) -> bool:
    """Within two weeks, or a third of the lifetime if that is less: certificates of six days are in use."""
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return certificate.not_valid_after_utc - now < min(SOON, lifetime / 3)


def weaknesses(certificate: x509.Certificate) -> Iterator[Finding]:
    """Findings for keys that are too short and for broken hashes."""
    algorithm, bits = _key(certificate)
    least = MIN_RSA_BITS if algorithm in ("RSA", "DSA") else MIN_EC_BITS
    if bits and bits < least:
        yield finding("key_weak", f"{algorithm} {bits}")
    if (used := _hash(certificate)) in ("md5", "sha1"):
        yield finding("signature_weak", used)


def _key(certificate: x509.Certificate) -> tuple[str, int]:
    """Algorithm and bits; 0 where the algorithm fixes them."""
    try:
        key = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return "unknown", 0
    match key:
        case rsa.RSAPublicKey():
            return "RSA", key.key_size
        case dsa.DSAPublicKey():
            return "DSA", key.key_size
        case ec.EllipticCurvePublicKey():
            return "EC", key.key_size
        case ed25519.Ed25519PublicKey():
            return "Ed25519", 0
        case ed448.Ed448PublicKey():
            return "Ed448", 0
        case _:
            return type(key).__name__, 0


def _hash(certificate: x509.Certificate) -> str | None:
    try:
        used = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "unknown"
    return used.name if used is not None else None
