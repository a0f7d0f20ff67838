"""The audit log: who called what, when, from where, how it ended; and nothing that the caller sent."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import hmac
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

import mcp_app
from mcp_app import Context, Settings, create_app, errors
from mcp_app.auth.appended import AppendedFile
from mcp_app.auth.audit import LOG_SECONDS, MAX_ARGUMENTS_BYTES, AuditError, AuditLog
from mcp_app.protocol.access import ANONYMOUS, Access
from mcp_app.protocol.account import Account
from mcp_app.testing import ERAS, client
from mcp_app.web.messages import Request

SECRET = "a-secret-of-sixteen-characters"
SECRETS = "first-secret-of-16-and-more,second-secret-of-16-or-more"


@mcp_app.tool
async def pay(account: str, amount: float = 1.0, pin: SecretStr | None = None) -> str:
    """Pay."""
    if amount < 0:
        raise mcp_app.ToolError("nobody can pay less than nothing")
    if amount > 1000:
        raise RuntimeError("a defect")
    return "paid"


@mcp_app.tool
async def pay_all(ctx: Context) -> str:
    """Pay all."""
    await ctx.call(pay, account="one")
    await ctx.call(pay, account="two", amount=2.0)
    return "paid"


@mcp_app.resource("note://{name}")
def note(name: str) -> str:
    """A note."""
    return name


@mcp_app.prompt
def hello(name: str) -> str:
    """Greet."""
    return f"Hello {name}"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def settings(path: Path, **changed: Any) -> Settings:
    return Settings(**{"audit_log": path, "secret": SECRET, **changed})


def expected_hmac(arguments: dict[str, Any], secret: str = SECRET) -> str:
    """As docs/how-to-audit.md has it."""
    key = hmac.digest(secret.encode(), b"mcp_app audit arguments", "sha256")
    text = json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


# --- what is written -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_has_a_line_when_it_begins_and_one_when_it_ends(tmp_path: Path, era: Any) -> None:
    path = tmp_path / "audit.jsonl"
    async with client(pay, settings=settings(path), era=era) as c:
        await c.run("pay", account="DE123", amount=5)
    began, ended = lines(path)
    assert (began["event"], ended["event"]) == ("began", "ended")
    for line in (began, ended):
        assert (line["who"], line["from"], line["http"]) == ("anonymous", "127.0.0.1", "2")
        assert (line["what"], line["name"], line["run"]) == ("tool", "pay", began["run"])
        assert line["time"].endswith("Z")
        assert len(line["run"]) == 8
    assert began["arguments_hmac"] == expected_hmac({"account": "DE123", "amount": 5.0, "pin": None})
    assert ended["outcome"] == "complete"
    assert ended["seconds"] >= 0
    assert "DE123" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_how_a_call_ended_is_its_error_with_the_id_that_the_log_has(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    async with client(pay, settings=settings(path)) as c:
        for amount in (-1, 2000):
            with pytest.raises(errors.McpAppError):
                await c.run("pay", account="a", amount=amount)
        with pytest.raises(errors.InvalidParams):
            await c.run("pay", account=["no call begins"])
    told = [line for line in lines(path) if line["event"] == "ended"]
    assert [line["outcome"] for line in told] == ["tool_failed", "tool_failed"]
    assert [len(line.get("error_id", "")) for line in told] == [0, 16]


async def test_tools_that_tools_call_have_lines_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    async with client(pay_all, pay, settings=settings(path)) as c:
        await c.run("pay_all")
    found = [(line["event"], line["name"], line.get("step")) for line in lines(path)]
    steps = [step for event, name, step in found if name == "pay" and event == "began"]
    assert len(set(steps)) == 2
    assert [event for event, name, _ in found] == ["began", "began", "ended", "began", "ended", "ended"]
    assert len({line["run"] for line in lines(path)}) == 1


async def test_resources_and_prompts_are_calls(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    async with client(note, hello, settings=settings(path), era=ERAS[-1]) as c:
        await c.read("note://secret-name")
        await c.prompt("hello", name="secret-name")
    assert [(line["event"], line["what"]) for line in lines(path)] == [
        *(("began", "resource"), ("ended", "resource")),
        *(("began", "prompt"), ("ended", "prompt")),
    ]
    assert lines(path)[0]["arguments_hmac"] == expected_hmac({"name": "secret-name"})


async def test_told_to_it_writes_arguments_but_no_secrets_of_the_authors(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    async with client(pay, settings=settings(path, secret=None, audit_arguments=True)) as c:
        await c.run("pay", account="DE\n\x1b[31m\u2028123", pin="1234")
        await c.run("pay", account="x" * MAX_ARGUMENTS_BYTES)
    small, _, large, _ = lines(path)
    assert small["arguments"] == {"account": "DE\n\x1b[31m\u2028123", "amount": 1.0, "pin": "**********"}
    assert "arguments" not in large
    assert large["arguments_bytes"] > MAX_ARGUMENTS_BYTES
    assert "arguments_hmac" not in small
    assert b"\x1b" not in path.read_bytes()


def account(**changed: Any) -> Account:
    return Account(ANONYMOUS, "tool", "t", "12345678", "plain", "127.0.0.1", "2")._replace(**changed)


def audit(path: Path, **options: Any) -> AuditLog:
    return AuditLog(AppendedFile(path), options.pop("secret", SECRET), **{"arguments": True, **options})


def test_what_has_no_json_is_told_by_its_type(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = audit(path)
    circle: list[Any] = []
    circle.append(circle)
    log.began(account(), {"value": object(), "nan": float("nan")})
    log.began(account(), {"value": circle})
    log.close()
    first, second = lines(path)
    assert first["arguments"]["value"] == "object"
    assert second["arguments_unwritable"] == "ValueError"


def test_the_credentials_that_can_be_revoked_are_named_and_claims_are_not(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = audit(path)
    access = Access("https://issuer.example ada", credential="jti-1", claims={"email": "ada@example.com"})
    log.began(account(access=access), {})
    log.close()
    [line] = lines(path)
    assert (line["who"], line["credential"]) == ("https://issuer.example ada", "jti-1")
    assert "ada@example.com" not in path.read_text()


# --- requests that are refused ---------------------------------------------------------------------------------------


async def test_requests_refused_for_who_sent_them_are_in_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"

    def verify(request: Request) -> str | None:
        return "ada" if request.headers.get("authorization") == "Bearer right" else None

    app = create_app(settings(path), [pay], verifiers=[verify])
    async with client(app) as c:
        for token in (None, "Bearer wrong-token", "Bearer right"):
            asking = c if token is None else c.with_options(headers={"authorization": token})
            run = asking.run("pay", account="DE123")
            if token == "Bearer right":
                await run
                continue
            with pytest.raises(errors.McpAppError, match=r"asks who calls|No caller is known"):
                await run
    found = lines(path)
    assert [(line["event"], line["who"], line.get("outcome")) for line in found] == [
        ("refused", "anonymous", "unauthorized"),
        ("refused", "anonymous", "unauthorized"),
        ("began", "ada", None),
        ("ended", "ada", "complete"),
    ]
    assert (found[0]["status"], found[0]["method"], found[0]["path"]) == (401, "POST", "/api/v1/mcp/sse")
    text = path.read_text()
    assert not any(each in text for each in ("wrong-token", "Bearer", "DE123"))


@mcp_app.tool(scopes=["vault"])
def open_vault() -> str:
    """Open it."""
    return "open"


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("steps_up", [True, False])
async def test_what_a_caller_lacks_the_scopes_for_is_in_it_whatever_it_was_told(
    tmp_path: Path, era: Any, steps_up: bool
) -> None:
    path = tmp_path / "audit.jsonl"
    access = Access("ada", frozenset(["read"]), steps_up=steps_up)
    app = create_app(settings(path), [open_vault], verifiers=[lambda request: access])
    async with client(app, era=era) as c:
        with pytest.raises(errors.McpAppError) as caught:
            await c.run("open_vault")
    assert caught.value.code == ("insufficient_scope" if steps_up else "unknown_tool")
    [line] = [each for each in lines(path) if each["event"] == "refused"]
    assert (line["who"], line["name"], line["outcome"]) == ("ada", "open_vault", "insufficient_scope")
    assert not [each for each in lines(path) if each["event"] == "began"]


def test_a_flood_of_them_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    now = [1000.0]
    log = audit(path, now=lambda: now[0])
    for _ in range(350):
        log.refused(Request("GET", "/x\n"), "unauthorized", 401)
    now[0] = 1001.5
    log.refused(Request("GET", "/x"), "unauthorized", 401)
    log.close()
    found = lines(path)
    assert len(found) == 102
    assert found[100] == {"time": "1970-01-01T00:16:41.500Z", "event": "refused", "more": 250}


def test_what_was_only_counted_is_told_at_the_stop(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = audit(path, now=lambda: 1000.0)
    for _ in range(103):
        log.refused(Request("GET", "/x"), "unauthorized", 401)
    log.close()
    found = lines(path)
    assert len(found) == 101
    assert found[-1]["more"] == 3


# --- the file --------------------------------------------------------------------------------------------------------


def test_it_is_only_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text('{"from": "before"}\n')
    one, other = AppendedFile(path), AppendedFile(path)
    for number in range(50):
        (one, other)[number % 2].append(b'{"number": %d}\n' % number)
    one.close()
    other.close()
    assert [line.get("number") for line in lines(path)] == [None, *range(50)]


def test_a_file_that_was_moved_away_is_followed_within_a_second(tmp_path: Path) -> None:
    path, now = tmp_path / "audit.jsonl", [0.0]
    file = AppendedFile(path, lambda: now[0])
    file.append(b"1\n")
    path.rename(tmp_path / "audit.jsonl.1")
    now[0] = 0.5
    file.append(b"2\n")
    now[0] = 1.5
    file.append(b"3\n")
    path.rename(tmp_path / "audit.jsonl.2")
    path.write_text("")
    now[0] = 3.0
    file.append(b"4\n")
    file.close()
    texts = [(tmp_path / name).read_text() for name in ("audit.jsonl.1", "audit.jsonl.2", "audit.jsonl")]
    assert texts == ["1\n2\n", "3\n", "4\n"]


def test_a_line_that_was_cut_stays_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.jsonl"
    file = AppendedFile(path)
    file.append(b"whole\n")
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
        with pytest.raises(OSError, match="only 3 of 10 bytes"):
            file.append(b"is too lo\n")
    file.append(b"next\n")
    file.close()
    assert path.read_text() == "whole\nis \nnext\n"


def test_a_line_that_another_process_left_cut_stays_alone(tmp_path: Path) -> None:
    """The one before, which died with the disk full, or one beside."""
    path = tmp_path / "audit.jsonl"
    path.write_text("before\nis ")
    file = AppendedFile(path)
    file.append(b"first\n")
    with path.open("a") as beside:
        beside.write("beside\n")
    file.append(b"second\n")
    with path.open("a") as beside:
        beside.write("cut")
    file.append(b"third\n")
    file.close()
    assert path.read_text() == "before\nis \nfirst\nbeside\nsecond\ncut\nthird\n"


def test_a_new_file_begins_with_a_line_whatever_was_cut_in_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, now, write = tmp_path / "audit.jsonl", [0.0], os.write
    file = AppendedFile(path, lambda: now[0])
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
        with pytest.raises(OSError, match="only 3 of 10 bytes"):
            file.append(b"is too lo\n")
    path.rename(tmp_path / "audit.jsonl.1")
    now[0] = 2.0
    file.append(b"next\n")
    file.close()
    assert path.read_text() == "next\n"


async def test_a_call_that_cannot_be_audited_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.jsonl"
    made = []

    @mcp_app.tool
    def act() -> str:
        """Act."""
        made.append(1)
        return "done"

    full = [False]
    append = AppendedFile.append

    def appending(self: AppendedFile, line: bytes) -> None:
        if full[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(self, line)

    monkeypatch.setattr(AppendedFile, "append", appending)
    async with client(act, settings=settings(path)) as c:
        full[0] = True
        with pytest.raises(errors.NotReady) as caught:
            await c.run("act")
        assert "audited" in caught.value.message
        assert caught.value.error_id
        full[0] = False
        assert await c.run("act") == "done"
        await c.idle()
    assert made == [1]
    assert [line["event"] for line in lines(path)] == ["began", "ended"]


def test_a_full_disk_is_a_line_a_minute_and_each_call_has_the_id_of_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000_000.0]
    log = AuditLog(AppendedFile(tmp_path / "audit.jsonl"), None, arguments=True, now=lambda: now[0])
    appended = AppendedFile.append

    def full_for_long_lines(self: AppendedFile, line: bytes) -> None:
        if b"long" in line:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        appended(self, line)

    monkeypatch.setattr(AppendedFile, "append", full_for_long_lines)
    ids = []
    for seconds in (0, 1, LOG_SECONDS - 2, 1, 0, 1, -100):
        now[0] += seconds
        with pytest.raises(errors.NotReady) as caught:
            log.began(account(), {"a": "long"})
        ids.append(caught.value.error_id)
        log.began(account(), {"a": "short"})
    told = [each.getMessage() for each in caplog.records if "cannot be written" in each.message]
    assert [ids.count(each) for each in dict.fromkeys(ids)] == [3, 3, 1]
    assert len(told) == 3
    assert all(str(each) in line for each, line in zip(dict.fromkeys(ids), told, strict=True))


async def test_an_end_that_cannot_be_written_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = audit(tmp_path / "audit.jsonl")

    def failing(self: AppendedFile, line: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(AppendedFile, "append", failing)
    for _ in range(5):
        log.ended(account(), "complete", 1.0, None)
    assert len([each for each in caplog.records if "cannot be written" in each.message]) == 1


def test_what_is_wrong_with_it_is_said_before_the_server_starts(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="MCP_APP_SECRET, which is not set"):
        AuditLog.configured(Settings(audit_log=tmp_path / "audit.jsonl"))
    with pytest.raises(AuditError, match="No such file or directory"):
        AuditLog.configured(settings(tmp_path / "nowhere" / "audit.jsonl"))
    assert AuditLog.configured(Settings()) is None


async def test_a_server_does_not_start_without_the_log_it_is_told_to_keep(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="MCP_APP_AUDIT_LOG"):
        async with client(pay, settings=settings(tmp_path / "nowhere" / "audit.jsonl")):
            pass


def test_the_first_of_several_secrets_is_used(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog.configured(settings(path, secret=SECRETS))
    assert log is not None
    log.began(account(), {"a": 1})
    log.close()
    assert lines(path)[0]["arguments_hmac"] == expected_hmac({"a": 1}, SECRETS.partition(",")[0])


async def test_who_leaves_is_told_to_have_left(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"

    @mcp_app.tool
    async def wait(ctx: Context) -> str:
        """Wait."""
        await ctx.progress(1)
        await asyncio.Event().wait()
        return "never"

    async with client(wait, settings=settings(path)) as c:
        run = c.run("wait")
        await run.until("progress")
        await run.leave()
        await c.idle()
    assert lines(path)[-1]["outcome"] == "left"
