"""The URL of a log on Redis, and what is refused of it: pure."""

from __future__ import annotations

import pytest

pytest.importorskip("redis", reason="needs the extra redis")

from mcp_app.config.settings import Settings
from mcp_app.eventlog.configured import shared_log
from mcp_app.eventlog.redis import RedisLog
from mcp_app.eventlog.redis.address import RedisAddress, RedisKind, read_address
from mcp_app.protocol.errors import LogRefused

SECRET = "a-secret-that-is-long-enough"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://log", RedisAddress(RedisKind.SERVER, (("log", 6379),))),
        ("REDIS://log:1/", RedisAddress(RedisKind.SERVER, (("log", 1),))),
        ("redis://[::1]", RedisAddress(RedisKind.SERVER, (("::1", 6379),))),
        ("redis://[::1]:7/3", RedisAddress(RedisKind.SERVER, (("::1", 7),), options={"db": 3})),
        (
            "redis://me:p%40ss%2Fw@log",
            RedisAddress(RedisKind.SERVER, (("log", 6379),), options={"username": "me", "password": "p@ss/w"}),
        ),
        ("redis://:only@log", RedisAddress(RedisKind.SERVER, (("log", 6379),), options={"password": "only"})),
        (
            "redis://log?encrypt=1&prefix=shop%3A",
            RedisAddress(RedisKind.SERVER, (("log", 6379),), prefix="shop:", encrypt=True),
        ),
        (
            "rediss://log?ssl_ca_certs=/etc/ca.pem&ssl_check_hostname=no",
            RedisAddress(
                RedisKind.SERVER,
                (("log", 6379),),
                tls=True,
                options={"ssl_ca_certs": "/etc/ca.pem", "ssl_check_hostname": False},
                sentinel_options={"ssl_ca_certs": "/etc/ca.pem", "ssl_check_hostname": False},
            ),
        ),
        (
            "redis+sentinel://u:p@a,b:2,[::1]:3/main/1?sentinel_username=s&sentinel_password=w",
            RedisAddress(
                RedisKind.SENTINEL,
                (("a", 26379), ("b", 2), ("::1", 3)),
                service="main",
                options={"username": "u", "password": "p", "db": 1},
                sentinel_options={"username": "s", "password": "w"},
            ),
        ),
        ("rediss+cluster://a:1,b/0", RedisAddress(RedisKind.CLUSTER, (("a", 1), ("b", 6379)), tls=True)),
    ],
)
def test_what_is_read(url: str, address: RedisAddress) -> None:
    assert read_address(url) == address


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://s3cret@log", "its scheme is 'http'"),
        ("redis://:s3cret@log:port", "'log:port' has no port"),
        ("redis://:s3cret@log:70000", "'log:70000' has no port"),
        ("redis://:s3cret@[::1]6379", "'[::1]6379' is no host"),
        ("redis://:s3cret@log/main", "'main' is no database"),
        ("redis://:s3cret@log/1/2", "'1/2' is no database"),
        ("redis+cluster://:s3cret@log/1", "a Cluster has one database"),
        ("redis+sentinel://:s3cret@log", "it names no service"),
        ("redis://:s3cret@log?timeout=1", "it has the option 'timeout'. Known are prefix, encrypt"),
        ("redis://:s3cret@log?encrypt=maybe", "encrypt='maybe' is neither 1 nor 0"),
        ("redis://:s3cret@log?prefix={a}", "its prefix cannot be one"),
        ("redis://:s3cret@log?prefix=", "its prefix cannot be one"),
        ("redis://:s3cret@log?ssl_ca_certs=/etc/ca.pem", "ssl_ca_certs is for TLS. Begin the URL with rediss"),
        ("rediss://:s3cret@log?ssl_cert_reqs=none", "it has the option 'ssl_cert_reqs'"),
    ],
)
def test_what_is_refused(url: str, says: str) -> None:
    with pytest.raises(LogRefused) as caught:
        read_address(url)
    assert says in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_nobody_reads_a_password_in_an_address() -> None:
    address = read_address("redis+sentinel://me:s3cret@a,b/main?sentinel_password=s3cret")
    assert "s3cret" not in repr(address)
    assert str(address) == "Redis 'main' of the Sentinels a:26379, b:26379"


def test_processes_that_share_a_log_share_a_secret() -> None:
    with pytest.raises(LogRefused, match="MCP_APP_SECRET"):
        RedisLog("redis://log", [])


def test_the_settings_name_it() -> None:
    settings = Settings(event_log="redis+cluster://u:s3cret@a:1,b:2?encrypt=1", secret=SECRET)
    assert isinstance(shared_log(settings), RedisLog)
    assert str(settings.event_log) == "redis+cluster://a:1,b:2"
