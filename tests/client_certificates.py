"""An authority for clients, and certificates that it signs, as a mesh or a company makes them. Not a test."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from live_server import client_tls

PEM = Encoding.PEM

COMMON, COMPANY = NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME


SIGNS = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)
"""What an authority's certificate is for (RFC 5280, 4.2.1.3): from Python 3.13 on one that says nothing is refused."""


class Issuer:
    """An authority whose files are in `directory`: `ca` is what a server trusts."""

    def __init__(self, directory: Path, name: str = "Clients of Example") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(COMMON, name)])
        certificate = (
            self._builder(self._name, self._key.public_key(), timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(SIGNS, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
        )
        self.ca = directory / "clients-ca.pem"
        self.ca.write_bytes(certificate.sign(self._key, hashes.SHA256()).public_bytes(PEM))
        self._issued = 0

    def issue(
        self,
        subject: Sequence[tuple[Any, str]] = ((COMMON, "agent"),),
        *,
        uris: Sequence[str] = (),
        dns: Sequence[str] = (),
        life: timedelta = timedelta(hours=1),
        usage: Any = ExtendedKeyUsageOID.CLIENT_AUTH,
    ) -> Path:
        """A file with a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(oid, value) for oid, value in subject])
        names = [*map(x509.UniformResourceIdentifier, uris), *map(x509.DNSName, dns)]
        builder = self._builder(name, key.public_key(), life)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        # From Python 3.13 on one without it is refused (RFC 5280, 4.2.1.1).
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=not subject)
        self._issued += 1
        path = self._directory / f"client-{self._issued}.pem"
        path.write_bytes(
            builder.sign(self._key, hashes.SHA256()).public_bytes(PEM)
            + key.private_bytes(PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        return path

    def revoke(self, *paths: Path) -> bytes:
        """A list of what is revoked, to be put behind the authority in its file."""
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._name)
        builder = builder.last_update(now - timedelta(hours=1)).next_update(now + timedelta(days=1))
        for path in paths:
            number = x509.load_pem_x509_certificate(path.read_bytes()).serial_number
            revoked = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now).build()
            builder = builder.add_revoked_certificate(revoked)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(PEM)

    def _builder(self, subject: x509.Name, public: Any, life: timedelta) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + life)
        )


def certificate_of(path: Path) -> str:
    """The certificate in a file of `issue`, alone, as text."""
    text = path.read_text()
    return text[: text.index("-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n"


def showing(path: Path | None, *alpn: str) -> ssl.SSLContext:
    """A client context that trusts the test server, and shows this certificate."""
    context = client_tls(*alpn)
    if path is not None:
        context.load_cert_chain(path)
    return context
