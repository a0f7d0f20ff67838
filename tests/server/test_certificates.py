"""Development certificates: what they are good for, when they are renewed, and who may read them."""

from __future__ import annotations

import builtins
import os
import ssl
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from mcp_app.server import issuing
from mcp_app.server.certificates import Certificates, default_directory, ensure, how_to_trust
from mcp_app.server.errors import StartError

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def contents(files: Certificates) -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in (files.authority, files.authority_key, files.certificate, files.key))


def loaded(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_made_once_then_kept(tmp_path: Path) -> None:
    files, made = ensure(tmp_path / "certs", NOW)
    before = contents(files)
    assert made
    assert ensure(tmp_path / "certs", NOW + DAY) == (files, False)
    assert contents(files) == before


def test_keys_are_for_their_owner_only_and_nothing_else_is_left(tmp_path: Path) -> None:
    old = os.umask(0o000)
    try:
        files, _ = ensure(tmp_path, NOW)
    finally:
        os.umask(old)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (files.key, files.authority_key)} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (files.certificate, files.authority)} == {0o644}
    assert {path.name for path in tmp_path.iterdir()} == {"ca.pem", "ca-key.pem", "cert.pem", "key.pem", ".lock"}


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_a_client_that_trusts_the_authority_accepts_each_name(tmp_path: Path, name: str) -> None:
    files, _ = ensure(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    client = ssl.create_default_context(cafile=str(files.authority))
    shake_hands(client, server, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(client, server, "example.com")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(ssl.create_default_context(), server, name)


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    """A whole TLS handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = list(ends)
    for _ in range(10):
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                pass
        if not waiting:
            return
    raise AssertionError("no handshake")


def test_the_leaf_is_short_lived_and_the_authority_signs_nothing_but_loopback(tmp_path: Path) -> None:
    files, _ = ensure(tmp_path, NOW)
    leaf, authority = loaded(files.certificate), loaded(files.authority)
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(days=398)
    assert isinstance(leaf.public_key(), ec.EllipticCurvePublicKey)
    assert leaf.public_key().curve.name == "secp256r1"  # type: ignore[union-attr]
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    usage = authority.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_cert_sign
    assert not usage.digital_signature

    pair = issuing.Issued.parse(files.authority.read_bytes(), files.authority_key.read_bytes())
    assert pair is not None
    verifier = PolicyBuilder().store(Store([authority])).time(NOW)
    verifier.build_server_verifier(x509.IPAddress(IPv4Address("127.0.0.1"))).verify(leaf, [])
    stolen = forged(pair, "example.com")
    with pytest.raises(VerificationError):
        verifier.build_server_verifier(x509.DNSName("example.com")).verify(stolen, [])


def forged(authority: issuing.Issued, name: str) -> x509.Certificate:
    """What whoever steals the authority's key might make."""
    key = ec.generate_private_key(ec.SECP256R1())
    return (
        issuing._builder(x509.Name([]), authority.certificate.subject, key.public_key(), NOW, DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .sign(authority.key, hashes.SHA256())
    )


def test_renewed_before_it_expires_by_the_same_authority(tmp_path: Path) -> None:
    files, _ = ensure(tmp_path, NOW)
    authority, key, leaf, _ = contents(files)
    end = loaded(files.certificate).not_valid_after_utc
    assert not ensure(tmp_path, end - issuing.RENEW_BEFORE)[1]
    assert ensure(tmp_path, end - issuing.RENEW_BEFORE + DAY)[1]
    assert contents(files)[:2] == (authority, key), "trust was given once"
    assert contents(files)[2] != leaf
    assert loaded(files.certificate).not_valid_after_utc > end


def test_an_authority_that_would_end_before_its_leaf_is_replaced_with_it(tmp_path: Path) -> None:
    files, _ = ensure(tmp_path, NOW)
    before = contents(files)
    assert ensure(tmp_path, NOW + issuing.AUTHORITY_LIFE - DAY)[1]
    assert all(old != new for old, new in zip(before, contents(files), strict=True))


@pytest.mark.parametrize("name", ["ca.pem", "ca-key.pem", "cert.pem", "key.pem"])
def test_whatever_is_missing_is_made_again(tmp_path: Path, name: str) -> None:
    files, _ = ensure(tmp_path, NOW)
    (tmp_path / name).unlink()
    assert ensure(tmp_path, NOW)[1]
    pair = issuing.Issued.parse(files.certificate.read_bytes(), files.key.read_bytes())
    authority = issuing.Issued.parse(files.authority.read_bytes(), files.authority_key.read_bytes())
    assert pair is not None
    assert authority is not None
    assert pair.signed_by(authority)


def test_a_key_of_another_certificate_is_replaced(tmp_path: Path) -> None:
    files, _ = ensure(tmp_path / "one", NOW)
    other, _ = ensure(tmp_path / "other", NOW)
    files.key.write_bytes(other.key.read_bytes())
    assert ensure(tmp_path / "one", NOW)[1]
    assert issuing.Issued.parse(files.certificate.read_bytes(), files.key.read_bytes()) is not None


def test_a_certificate_of_another_authority_is_never_touched(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Somebody's own authority")])
    theirs = issuing._builder(name, name, key.public_key(), NOW, DAY).sign(key, hashes.SHA256())
    (tmp_path / "cert.pem").write_bytes(theirs.public_bytes(Encoding.PEM))
    assert not ensure(tmp_path, NOW + 365 * DAY)[1], "not even when it has expired"
    assert (tmp_path / "cert.pem").read_bytes() == theirs.public_bytes(Encoding.PEM)
    assert not (tmp_path / "ca.pem").exists()


def test_what_is_no_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("nonsense")
    with pytest.raises(StartError, match=r"cert\.pem is not a PEM certificate"):
        ensure(tmp_path)
    assert (tmp_path / "cert.pem").read_text() == "nonsense"


def test_servers_that_start_at_once_agree_on_one_authority(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: ensure(tmp_path, NOW), range(8)))
    assert [made for _, made in results].count(True) == 1
    files = results[0][0]
    leaf = issuing.Issued.parse(files.certificate.read_bytes(), files.key.read_bytes())
    authority = issuing.Issued.parse(files.authority.read_bytes(), files.authority_key.read_bytes())
    assert leaf is not None
    assert authority is not None
    assert leaf.signed_by(authority)


def test_a_crash_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, _ = ensure(tmp_path, NOW)
    before = contents(files)

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StartError, match="No space left on device"):
        ensure(tmp_path, NOW + issuing.LEAF_LIFE)
    assert contents(files) == before
    assert len(list(tmp_path.iterdir())) == 5


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "certs").write_text("a file, not a folder")
    with pytest.raises(StartError, match=r"cannot keep certificates in .*certs: File exists"):
        ensure(tmp_path / "certs")


def test_without_the_library_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("cryptography"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "mcp_app.server.issuing", raising=False)
    monkeypatch.delattr("mcp_app.server.issuing", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(StartError, match="pip install cryptography"):
        ensure(tmp_path)


def test_serving_imports_no_cryptography() -> None:
    code = "import sys, mcp_app.server.run, mcp_app.server.tls, mcp_app.cli; print('cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["pyproject.toml", "hypercorn.toml", "mcp.json"])
def test_a_project_keeps_its_own(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert default_directory(tmp_path) == tmp_path / "certs"


def test_elsewhere_they_go_to_the_users_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert default_directory(tmp_path) == tmp_path / "state" / "mcp-app" / "certs"
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/invalid")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_directory(tmp_path) == tmp_path / ".local" / "state" / "mcp-app" / "certs"


def test_how_to_trust_names_the_authority_for_each_client(tmp_path: Path) -> None:
    text = how_to_trust(Certificates(tmp_path))
    for word in ("--cacert", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "Chromium", "Debian", "macOS"):
        assert word in text
    assert text.count(str(tmp_path / "ca.pem")) >= 5
    assert "key" not in text.replace("keychain", "").replace("Keychains", "")
