"""Settings: what the environment says, what is given, and what is refused."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from mcp_app import FromEnvironment, Settings, create_app
from mcp_app.config import event_log, invalid
from mcp_app.config.retired import RETIRED, retired
from mcp_app.config.unknown import unknown
from mcp_app.manifest.documents import absolute
from mcp_app.web.links import Links
from mcp_app.web.messages import Request


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(f"MCP_APP_{field.upper()}", raising=False)


def test_each_is_a_variable_and_text_becomes_what_it_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_APP_CAP_SECONDS", "12.5")
    monkeypatch.setenv("MCP_APP_THREADS", "7")
    monkeypatch.setenv("MCP_APP_LEGACY_SSE", "off")
    monkeypatch.setenv("MCP_APP_PUBLIC_URL", "https://tools.example.com")
    monkeypatch.setenv("MCP_APP_ALLOWED_ORIGINS", "https://a.example, https://b.example/")
    monkeypatch.setenv("MCP_APP_ALLOWED_HOSTS", "tools.internal, mcp:8000,,[fd00::7]")
    monkeypatch.setenv("MCP_APP_SECRET", "0123456789abcdef")
    found = Settings()
    assert (found.cap_seconds, found.threads, found.legacy_sse) == (12.5, 7, False)
    assert str(found.public_url) == "https://tools.example.com/"
    assert found.allowed_origins == ("https://a.example", "https://b.example")
    assert found.allowed_hosts == ("tools.internal", "mcp:8000", "[fd00::7]")
    assert found.secret == SecretStr("0123456789abcdef")


def test_a_variable_is_found_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("mcp_app_threads", "5")
    assert Settings().threads == 5


def test_what_is_given_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_APP_THREADS", "5")
    monkeypatch.setenv("MCP_APP_CAP_SECONDS", "not a number")
    assert Settings(threads=6, cap_seconds=9).threads == 6
    assert Settings.model_validate({"cap_seconds": 9}).threads == 5
    copied = Settings(cap_seconds=9)
    assert Settings.model_validate(copied) is copied


def test_a_variable_that_is_no_setting_is_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_APP_SCAN_ALLOW_PRIVATE", "1")
    monkeypatch.setenv("MCP_APP_", "1")
    monkeypatch.setenv("THREADS", "5")
    assert Settings() == Settings(threads=32)
    with pytest.raises(ValidationError, match="scan_allow_private"):
        Settings(scan_allow_private=True)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("name", "value"), [("cap_seconds", "0"), ("cap_seconds", ""), ("threads", "many"), ("legacy_sse", "never")]
)
def test_a_wrong_one_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"MCP_APP_{name.upper()}", value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert [(each["loc"], each["input"]) for each in caught.value.errors()] == [((name,), value)]


def test_a_secret_that_is_wrong_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_APP_SECRET", "short-one")
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert "short-one" not in str(caught.value)


class Own(FromEnvironment):
    environment_prefix: ClassVar[str] = "OWN_"

    limit: int = 3
    hosts: tuple[str, ...] = ()


def test_a_tool_has_settings_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWN_LIMIT", "7")
    monkeypatch.setenv("MCP_APP_LIMIT", "8")
    monkeypatch.setenv("OWN_ENVIRONMENT_PREFIX", "x")
    assert (Own().limit, Own(limit=9).limit) == (7, 9)
    monkeypatch.setenv("OWN_HOSTS", "a,b")
    with pytest.raises(ValidationError, match="hosts"):
        Own()
    with pytest.raises(ValidationError, match="frozen"):
        Own(hosts=()).limit = 1  # type: ignore[misc]


def test_a_setting_that_is_gone_is_named_with_what_there_is_instead() -> None:
    assert retired({"MCP_APP_CAP_SECONDS": "1", "PATH": "/bin"}) == []
    for name in RETIRED:
        [sentence] = retired({name: "", "PATH": "/bin"})
        assert sentence.startswith(f"{name} has no effect since 0.")
        assert name.removeprefix("MCP_APP_").lower() not in Settings.model_fields


async def test_it_is_named_when_serving_starts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MCP_APP_FAST_LANE", "false")
    app = create_app(Settings(), [])
    assert caplog.text == ""
    async with app.test_app():
        assert "MCP_APP_FAST_LANE has no effect since 0.1.0: create_app(lane=False)" in caplog.text


def test_what_is_wrong_with_a_secret_is_said_without_it_and_without_its_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_APP_SECRET", "short-one")
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert invalid.problem(caught.value) == (
        "MCP_APP_SECRET: secret 1 of 1 has 9 characters; each needs 16 (several are separated by commas or spaces)"
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MCP_APP_HEARTBEAT_SECOND", "MCP_APP_HEARTBEAT_SECONDS"),
        ("MCP_APP_ALLOW_ORIGINS", "MCP_APP_ALLOWED_ORIGINS"),
        ("MCP_APP_SECRETS", "MCP_APP_SECRET"),
        ("mcp_app_caps_seconds", "MCP_APP_CAP_SECONDS"),
    ],
)
def test_a_misspelt_setting_is_named_with_what_was_meant(name: str, meant: str) -> None:
    assert unknown({name: "3", "PATH": "/bin"}) == [
        f"{name.upper()} has no effect: there is no such setting; did you mean {meant}?"
    ]


def test_what_is_like_none_is_named_and_what_is_one_is_not() -> None:
    assert unknown({"MCP_APP_ZZZ": "1"}) == ["MCP_APP_ZZZ has no effect: there is no such setting"]
    assert unknown({f"MCP_APP_{field.upper()}": "" for field in Settings.model_fields}) == []
    assert unknown({"MCP_APP_": "1", "OTHER_MCP_APP_X": "1", **dict.fromkeys(RETIRED, "")}) == []


def test_settings_of_a_tools_own_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    class Known(FromEnvironment):
        environment_prefix: ClassVar[str] = "MCP_APP_KNOWN_"

        limit: int = 3

    assert unknown({"MCP_APP_KNOWN_LIMIT": "3"}) == []
    assert unknown({"MCP_APP_KNOWN_LIMITS": "3"}) == [
        "MCP_APP_KNOWN_LIMITS has no effect: there is no such setting; did you mean MCP_APP_KNOWN_LIMIT?"
    ]
    assert Known().limit == 3


async def test_a_misspelt_one_is_named_when_serving_starts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MCP_APP_HEARTBEAT_SECOND", "3")
    async with create_app(Settings(), []).test_app():
        assert "did you mean MCP_APP_HEARTBEAT_SECONDS?" in caplog.text


def problem(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    """What `mcp-app serve` says of it, in one line."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    said = invalid.problem(caught.value)
    assert "\n" not in said
    assert said.startswith(name)
    assert "password" not in str(caught.value).replace("a password", "")
    return said


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://tools.example.com/?x=1", "leave out what begins with ? or #"),
        ("https://tools.example.com/?", "leave out what begins with ? or #"),
        ("https://tools.example.com/#f", "leave out what begins with ? or #"),
        ("https://user:password@tools.example.com", "it has a user or a password"),
        ("https://user@tools.example.com", "it has a user or a password"),
        ("https://@tools.example.com", "it has a user or a password"),
        ("https://:@tools.example.com", "it has a user or a password"),
        ("https://tools.example.com/../x", "its path has a segment . or .."),
        ("https://tools.example.com/x/.", "its path has a segment . or .."),
        ("https://tools.example.com/a/%2E./x", "its path has a segment . or .."),
        ("https://tools.example.com\\x", "it has a space or a backslash"),
        ("https://tools.example.com/x y", "it has a space or a backslash"),
        ("https://tools.exam\tple.com", "it has a space or a backslash"),
        ("https:tools.example.com", "there is no host behind https://"),
        ("https:///tools.example.com", "there is no host behind https://"),
        ("https://tools.example.com:0", "port 0 cannot be called"),
        ("https://a.example,https://b.example", "give one URL here, and further names in MCP_APP_ALLOWED_HOSTS"),
        ("https://a.example/x,https://b.example", "give one URL here"),
        ("https://*.example.com", "its host is not one name or address"),
        ("https://tools.example.com;x", "its host is not one name or address"),
        ("https://tools.example.com//evil.example/", "an empty segment"),
        ("https://tools.example.com/@me", "its path"),
        ("https://tools.example.com:99999", "invalid port number"),
        ("tools.example.com", "valid URL"),
        ("ftp://tools.example.com", "'http' or 'https'"),
        ("", "valid URL"),
    ],
)
def test_a_public_url_that_no_document_can_have_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: str
) -> None:
    said = problem(monkeypatch, "MCP_APP_PUBLIC_URL", value)
    assert expected in said
    assert "user:password" not in said


@pytest.mark.parametrize(
    "value",
    ["https://tools.example.com", "http://localhost:8000/", "https://tools.example.com:8443/a/b/", "http://[::1]:1/x",
     "https://bücher.example/ü", "https://x_y.example/~me/a;b=c", "https://10.0.0.7", "https://tools.example.com./"],
)  # fmt: skip
def test_documents_can_be_made_of_every_public_url_that_is_taken(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MCP_APP_PUBLIC_URL", value)
    assert absolute(str(Settings().public_url), "/mcp").endswith("/mcp")


@given(st.sampled_from(["", ":8443", ":0"]), st.text("/ab?#@,{} %~.\\;ü[]*", max_size=12), st.sampled_from(["", "u@"]))
def test_what_is_taken_for_a_public_url_never_fails_a_document(port: str, rest: str, user: str) -> None:
    try:
        settings = Settings(public_url=f"https://{user}tools.example.com{port}{rest}")  # type: ignore[arg-type]
    except ValidationError:
        return
    base = Links(settings).base(Request("GET", "/"))
    assert absolute(base, "/mcp") == f"{base}/mcp"


@pytest.mark.parametrize(
    "value",
    ["*", "*.example.com", ".example.com", "https://tools.internal", "tools.internal/x", "u@tools.internal", "::1",
     "[::1", "[::g]", "mcp:", "mcp:0", "mcp:99999", "mcp:x", "a b", "bücher.example", "a.example;b.example"],
)  # fmt: skip
def test_a_host_that_no_request_could_name_stops_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    said = problem(monkeypatch, "MCP_APP_ALLOWED_HOSTS", f"tools.internal, {value}")
    assert f"{value!r} is not a host such as" in said


@pytest.mark.parametrize(
    "value", ["https://a.example:0", "https://a.example:99999", "https://[::g]", "https://*.a.example"]
)
def test_an_origin_that_no_page_has_stops_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    assert "is not an exact origin" in problem(monkeypatch, "MCP_APP_ALLOWED_ORIGINS", value)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("OAUTH_ISSUERS", "https://id.example",
         "MCP_APP_OAUTH_ISSUERS needs MCP_APP_PUBLIC_URL: tokens are for one server, by its address"),
        ("LIMITS", "requests per tool 5/min",
         "MCP_APP_LIMITS: 'requests per tool 5/min': requests are counted per principal, address, or in all"),
        ("TRUSTED_PROXIES", "::1, 10.0.0.1/8",
         "MCP_APP_TRUSTED_PROXIES='::1, 10.0.0.1/8': 10.0.0.1/8 has host bits set"),
        ("EVENT_LOG", "sqlite://log.db",
         "MCP_APP_EVENT_LOG names no file: write sqlite:///PATH, with three slashes before it"),
        ("EVENT_LOG", "postgres://user:password@db/log",
         "MCP_APP_EVENT_LOG names no log that there is: " + event_log.FORM),
        ("EVENT_LOG", "redis://user:password@/0",
         "MCP_APP_EVENT_LOG names no host: " + event_log.FORM),
        ("EVENT_LOG", "redis://user:password@redis:seven",
         "MCP_APP_EVENT_LOG is no address of a log: its port is no number: " + event_log.FORM),
    ],
)  # fmt: skip
def test_the_line_has_each_name_and_value_once_as_it_was_given(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    assert problem(monkeypatch, f"MCP_APP_{name}", value) == expected


def test_what_a_tools_own_settings_will_not_take_is_named_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Wide(FromEnvironment):
        environment_prefix: ClassVar[str] = "WIDE_"

        limit: int = 3
        needed: int

    class Narrow(Wide):
        environment_prefix: ClassVar[str] = "NARROW_"

    assert invalid.invalid_for_tools() is None
    monkeypatch.setenv("NARROW_LIMIT", "three")
    said = invalid.invalid_for_tools()
    assert said is not None
    assert said.startswith("NARROW_LIMIT='three': Input should be a valid integer")
    monkeypatch.setenv("NARROW_LIMIT", "3")
    assert invalid.invalid_for_tools() is None
    assert Narrow(needed=1).limit == Wide(needed=1).limit == 3


def test_the_address_of_a_log_is_shown_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_APP_EVENT_LOG", "rediss://user:pass%23word@redis.example:6380/2?encrypt=1")
    address = Settings().event_log
    assert str(address) == "rediss://redis.example:6380/2"
    assert (address.kind, address.options) == ("redis", {"encrypt": "1"})
    assert "pass" not in repr(Settings())


def test_the_file_of_a_log_is_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_APP_EVENT_LOG", "sqlite:///var/lib/the%20tools/log.db?synchronous=full")
    address = Settings().event_log
    assert (address.kind, address.path, address.shared) == ("sqlite", "/var/lib/the tools/log.db", True)
    assert not Settings(event_log="memory").event_log.shared  # type: ignore[arg-type]
