"""Issues certificates: a development authority and a leaf for localhost, and checks whether they are still valid.

The only module that imports `cryptography`; `certificates` imports it only when a certificate is needed. No file is
touched here. Nothing here may sign a name that other machines can reach: the authority is constrained (RFC 5280
4.2.1.10) to localhost and the loopback addresses, so that a stolen authority key impersonates nothing else.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_NAME = "mcp-app development CA"
"""The common name that identifies certificates issued here: no others are ever replaced."""

LEAF_LIFE = timedelta(days=397)
"""Browsers reject a server certificate that is valid for longer than 398 days (CA/Browser Forum, 6.3.2)."""

AUTHORITY_LIFE = timedelta(days=3650)
"""Ten years: trusting an authority is a manual step, and a shorter life would teach people to skip it."""

RENEW_BEFORE = timedelta(days=30)
"""A leaf with less than this left is replaced at start, so that no certificate expires unexpectedly while it is
served."""

BACKDATED = timedelta(hours=1)
"""Valid from an hour ago, so that a client whose clock is a little behind (a container, a phone) can connect."""


class Issued(NamedTuple):
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def parse(cls, certificate: bytes, key: bytes) -> Issued | None:
        """Both from PEM; None if either is not PEM of the kind issued here, or they do not match."""
        try:
            loaded = x509.load_pem_x509_certificate(certificate)
            private = load_pem_private_key(key, password=None)
        except (ValueError, TypeError):  # TypeError: the key is encrypted
            return None
        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.public_key() != loaded.public_key():
            return None
        return cls(loaded, private)

    def certificate_pem(self) -> bytes:
        """The certificate as the content of a PEM file."""
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self) -> bytes:
        """The private key as the content of a PEM file (PKCS 8, unencrypted: a server starts without a prompt)."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def is_valid_for(self, now: datetime, at_least: timedelta) -> bool:
        """Whether it is valid now and for `at_least` longer."""
        return self.certificate.not_valid_before_utc <= now and now + at_least <= self.certificate.not_valid_after_utc

    def signed_by(self, authority: Issued) -> bool:
        """Whether `authority` signed it: name and signature."""
        try:
            self.certificate.verify_directly_issued_by(authority.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True


def is_issued_here(certificate: bytes) -> bool:
    """Whether a PEM certificate was signed by a development authority issued here. Raises ValueError if it is not
    PEM."""
    issuer = x509.load_pem_x509_certificate(certificate).issuer
    return any(part.value == AUTHORITY_NAME for part in issuer.get_attributes_for_oid(NameOID.COMMON_NAME))


def make_authority(now: datetime) -> Issued:
    """A new self-signed authority: keyCertSign only, path length 0, constrained to loopback names and addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, AUTHORITY_NAME)])
    loopback = x509.NameConstraints(
        permitted_subtrees=[
            x509.DNSName("localhost"),
            x509.IPAddress(IPv4Network("127.0.0.0/8")),
            x509.IPAddress(IPv6Network("::1/128")),
        ],
        excluded_subtrees=None,
    )
    certificate = (
        _builder(name, name, key.public_key(), now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(loopback, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Issued(certificate, key)


def make_leaf(authority: Issued, now: datetime) -> Issued:
    """A new server certificate for localhost, 127.0.0.1 and ::1, signed by `authority`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName(
        [
            x509.DNSName("localhost"),
            x509.IPAddress(IPv4Address("127.0.0.1")),
            x509.IPAddress(IPv6Address("::1")),
        ]
    )
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    certificate = (
        _builder(name, authority.certificate.subject, key.public_key(), now, LEAF_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(names, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(authority_key, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return Issued(certificate, key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now - BACKDATED + life)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """RFC 5280 4.2.1.3: an authority signs certificates, an ECDSA server signs handshakes; neither is allowed more."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
