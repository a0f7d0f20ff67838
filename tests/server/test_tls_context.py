"""What TLS is taken: its versions, ciphers and certificates; and the files once more, without touching a stream."""

from __future__ import annotations

import asyncio
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from client_certificates import Issuer, showing
from cryptography.x509.oid import ExtendedKeyUsageOID
from defects import Provoking
from live_server import certificates, client_tls, loopback_config, serving
from raw_h2 import raw_h2

from mcp_app.server.certificates import ensure
from mcp_app.server.configuration import load
from mcp_app.server.errors import StartError
from mcp_app.server.hangup import read_files
from mcp_app.server.tls_context import Tls, make_context


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """In memory. Raises ssl.SSLError if either refuses."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(6):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
    for side in sides:
        side.do_handshake()
    return sides[0], sides[1]


def shipped(tmp_path: Path, **values: object) -> ssl.SSLContext:
    config, _ = load(working=tmp_path)
    config.certfile, config.keyfile = str(certificates().certificate), str(certificates().key)
    for key, value in values.items():
        setattr(config, key, value)
    return make_context(config)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_taken(tmp_path: Path, version: ssl.TLSVersion) -> None:
    client = client_tls()
    client.minimum_version = client.maximum_version = version
    side, _ = shake_hands(client, shipped(tmp_path))
    assert side.version() == version.name.replace("_", ".")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_versions_are_not(tmp_path: Path, version: ssl.TLSVersion) -> None:
    client = client_tls()
    client.set_ciphers("DEFAULT@SECLEVEL=0")
    client.minimum_version = client.maximum_version = version
    with pytest.raises(ssl.SSLError):
        shake_hands(client, shipped(tmp_path))
    with pytest.raises(ssl.SSLError):
        shake_hands(client, make_context(loopback_config()))


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"])
def test_modern_ciphers_of_1_2_are_taken(tmp_path: Path, cipher: str) -> None:
    client = client_tls()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(cipher)
    side, _ = shake_hands(client, shipped(tmp_path))
    assert side.cipher()[0] == cipher  # type: ignore[index]


def test_others_are_not(tmp_path: Path) -> None:
    client = client_tls()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers("ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:AES128-GCM-SHA256:AES128-SHA")
    with pytest.raises(ssl.SSLError):
        shake_hands(client, shipped(tmp_path))


@pytest.mark.parametrize("ciphers", ["AES128-SHA", "ECDHE+AESGCM:ECDHE-ECDSA-AES128-SHA", "DEFAULT"])
def test_a_weak_cipher_does_not_start(tmp_path: Path, ciphers: str) -> None:
    with pytest.raises(StartError, match=r"ciphers: \S+ has no forward secrecy or no authenticated encryption"):
        shipped(tmp_path, ciphers=ciphers)


def test_ciphers_that_do_not_exist_are_no_fault_of_the_files(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"^ciphers: 'MODERN' selects none"):
        shipped(tmp_path, ciphers="MODERN")


def test_the_servers_order_counts_and_nobody_renegotiates(tmp_path: Path) -> None:
    options = shipped(tmp_path).options
    assert options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert options & ssl.OP_NO_RENEGOTIATION
    client = client_tls()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384")
    side, _ = shake_hands(client, shipped(tmp_path))
    assert side.cipher()[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"  # type: ignore[index]


def test_the_options_as_released(tmp_path: Path) -> None:
    """The client's order, renegotiation as OpenSSL has it; and authorities that are never asked for."""
    context = loopback_config(ca_certs=str(Issuer(tmp_path).ca)).create_ssl_context()
    assert context is not None
    assert not context.options & (ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_RENEGOTIATION)
    assert context.verify_mode is ssl.CERT_NONE


# --- client certificates ---------------------------------------------------------------------------------------------


def test_who_is_trusted_is_asked_for(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path)
    server = shipped(tmp_path, ca_certs=str(issuer.ca))
    _, side = shake_hands(showing(issuer.issue(uris=["spiffe://example/agent"])), server)
    assert side.getpeercert()["subjectAltName"] == (("URI", "spiffe://example/agent"),)  # type: ignore[index]
    _, side = shake_hands(showing(None), server)
    assert side.getpeercert() is None


def test_it_may_be_required(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path)
    server = shipped(tmp_path, ca_certs=str(issuer.ca), verify_mode=2)
    shake_hands(showing(issuer.issue()), server)
    with pytest.raises(ssl.SSLError):
        shake_hands(showing(None), server)


def test_no_other_certificate_is_let_in(tmp_path: Path) -> None:
    issuer, stranger = Issuer(tmp_path), Issuer(tmp_path / "other")
    server = shipped(tmp_path, ca_certs=str(issuer.ca))
    bad = {
        "another authority": stranger.issue(),
        "expired": issuer.issue(life=-timedelta(hours=1)),
        "a server's": issuer.issue(usage=ExtendedKeyUsageOID.SERVER_AUTH),
    }
    for name, path in bad.items():
        with pytest.raises(ssl.SSLError):
            shake_hands(showing(path), server)
            pytest.fail(name)


def test_one_that_was_revoked_is_not_let_in_any_more(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path)
    good, bad = issuer.issue(), issuer.issue()
    issuer.ca.write_bytes(issuer.ca.read_bytes() + issuer.revoke(bad))
    server = shipped(tmp_path, ca_certs=str(issuer.ca), verify_flags=4)
    shake_hands(showing(good), server)
    with pytest.raises(ssl.SSLError):
        shake_hands(showing(bad), server)


# --- read again ------------------------------------------------------------------------------------------------------


def test_what_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    files = ensure(tmp_path)[0]
    config = loopback_config(certfile=str(files.certificate), keyfile=str(files.key))
    tls = Tls(config)
    before = tls.context()
    files.key.write_bytes(certificates().key.read_bytes())
    with pytest.raises(ssl.SSLError):
        tls.read_again()
    assert tls.context() is before
    with pytest.raises(StartError, match="cannot be used"):
        Tls(config)


def test_an_authority_that_cannot_be_used_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(Issuer(tmp_path).ca.read_bytes())
    config = loopback_config(ca_certs=str(ca))
    tls = Tls(config)
    before = tls.context()
    ca.unlink()
    read_files(config, tls)
    assert f"or ca_certs {ca}, cannot be used, and those from before are: No such file" in caplog.text
    assert tls.context() is before


async def test_open_streams_go_on_while_all_is_read_again(tmp_path: Path) -> None:
    """Certificate and authorities: who was trusted is not any more, but has its stream."""
    first, second = Issuer(tmp_path / "a", "First"), Issuer(tmp_path / "b", "Second")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(first.ca.read_bytes())
    files = ensure(tmp_path / "server")[0]
    config = loopback_config(ca_certs=str(ca), certfile=str(files.certificate), keyfile=str(files.key))
    tls = Tls(config)
    old, new = (showing(issuer.issue()) for issuer in (first, second))
    for context in (old, new):
        context.load_verify_locations(files.authority)
    async with (
        serving(Provoking(), tls=tls, ca_certs=str(ca)) as server,
        raw_h2(server.tls_port, old) as client,
    ):
        stream = await client.request("/tick")
        await client.until(lambda: client.body(stream))
        with pytest.raises(AssertionError):
            async with raw_h2(server.tls_port, new) as other:
                await other.request("/hello")
                await other.until(lambda: other.status(1))
        ca.write_bytes(second.ca.read_bytes())
        tls.read_again()
        async with raw_h2(server.tls_port, new) as other:
            number = await other.request("/hello")
            await other.until(lambda: other.is_ended(number))
        with pytest.raises(AssertionError):
            async with raw_h2(server.tls_port, old) as other:
                await other.request("/hello")
                await other.until(lambda: other.status(1))
        seen = len(client.body(stream))
        await client.until(lambda: len(client.body(stream)) > seen + 20)
        await asyncio.sleep(0)
