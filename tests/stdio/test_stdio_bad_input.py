"""What a client may send that is wrong, or too much, over standard input and output."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdio_stage import call, cancelled, initialize, modern, request, stage
from stdio_tools import TOOLS, Told, add

from mcp_app import Context, tool
from mcp_app.stdio import connection
from mcp_app.stdio.lines import MAX_LINE_BYTES

PARSE_ERROR, INVALID_REQUEST = -32700, -32600


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"nonsense", PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"method":"pi', PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', PARSE_ERROR),
        (b"\xef\xbb\xbf{}", PARSE_ERROR),
        (b"\0", PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping\0"}', PARSE_ERROR),
        (b"[" * 100_000, PARSE_ERROR),
        (b"{}", INVALID_REQUEST),
        (b"[]", INVALID_REQUEST),
        (b"7", INVALID_REQUEST),
        (b'{"tool":"add","params":{}}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","method":"ping"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', INVALID_REQUEST),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_what_is_no_message_is_answered_and_the_session_goes_on(line: bytes, code: int) -> None:
    async with stage(add) as here:
        await here.session()
        await here.say(line)
        said = await here.next()
        assert said["error"]["code"] == code
        assert "id" not in said
        assert (await here.ask(request("ping")))["result"] == {}


@given(st.lists(st.binary(max_size=60) | st.just(b'{"jsonrpc":"2.0","id":1,"method":"ping"}'), max_size=6))
@settings(max_examples=50)
def test_whatever_the_bytes_are_the_next_request_is_answered(lines: list[bytes]) -> None:
    async def main() -> None:
        async with stage(add) as here:
            await here.raw(b"\n".join(lines) + b"\n")
            await here.say(request("ping", id="last"))
            *before, last = await here.until(lambda each: each.get("id") == "last")
            assert last["result"] == {}
            assert all("error" in each or each["result"] == {} for each in before)

    asyncio.run(main())


async def test_a_line_that_is_too_long_is_skipped_and_its_request_answered() -> None:
    async with stage(*TOOLS) as here:
        await here.session()
        message = {"method": "tools/call", "params": {"name": "x" * MAX_LINE_BYTES}, "jsonrpc": "2.0", "id": 5}
        await here.say(message)
        said = await here.next()
        assert (said["id"], said["error"]["code"]) == (5, INVALID_REQUEST)
        assert str(MAX_LINE_BYTES) in said["error"]["message"]
        for _ in range(64):  # no line break for 64 MiB
            await here.raw(b"y" * MAX_LINE_BYTES)
        await here.quiet()
        await here.raw(b"\n")
        said = await here.next()
        assert said["error"]["code"] == INVALID_REQUEST
        assert "id" not in said
        assert (await here.ask(request("ping")))["result"] == {}


async def test_an_answer_that_is_too_long_fails_its_question_and_not_a_request_of_the_client() -> None:
    async with stage(*TOOLS) as here:
        await here.session(sampling={})
        await here.say(call("sample", id=1))
        question = await here.next()
        result = {"role": "assistant", "model": "m", "content": {"type": "text", "text": "x" * MAX_LINE_BYTES}}
        await here.say({"jsonrpc": "2.0", "id": question["id"], "result": result})
        said = await here.next()
        assert said["id"] == 1
        assert said["result"]["isError"]
        assert "skipped" in json.dumps(said)


@pytest.mark.parametrize("method", ["tools/list", "tools/call", "logging/setLevel", "nothing"])
async def test_requests_before_initialize_are_told_what_is_missing(method: str) -> None:
    async with stage(add) as here:
        said = await here.ask(request(method, {}))
        assert said["error"]["code"] == INVALID_REQUEST
        assert "initialize" in said["error"]["message"]
        assert "2026-07-28" in said["error"]["data"]["supported"]
        assert (await here.ask(request("ping")))["result"] == {}
        await here.session()


async def test_a_second_initialize_is_an_error_and_changes_nothing() -> None:
    async with stage(add) as here:
        await here.session("2025-06-18")
        said = await here.ask(initialize("2025-11-25", id=2))
        assert said["error"]["code"] == INVALID_REQUEST
        assert (await here.ask(call("add", {"a": 1, "b": 1})))["result"]["structuredContent"] == {"result": 2}


async def test_an_initialize_that_fails_may_be_sent_again() -> None:
    async with stage(add) as here:
        assert (await here.ask(request("initialize", {"capabilities": 5})))["error"]["code"] == -32602
        await here.session()


async def test_an_id_that_is_in_use_is_an_error_and_the_first_request_goes_on() -> None:
    told = Told()
    async with stage(told.wait, add) as here:
        await here.session()
        await here.say(call("wait", id=1))
        await asyncio.wait_for(told.begun.wait(), 10)
        for message in (call("add", {"a": 1, "b": 1}, id=1), modern("tools/list", id=1)):
            said = await here.ask(message)
            assert said["error"]["code"] == INVALID_REQUEST
            assert "id" in said["error"]["message"]
        assert not told.stopped.is_set()
        await here.say(cancelled(1))
        await asyncio.wait_for(told.stopped.wait(), 10)


async def test_more_requests_than_are_kept_are_refused_and_answers_to_questions_still_come_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "MAX_UNANSWERED", 2)
    async with stage(*TOOLS) as here:
        await here.session(elicitation={})
        await here.say(call("ask", id=1))
        question = await here.next()
        await here.say(call("ask", id=2))
        await here.next()
        said = await here.ask(call("add", {"a": 1, "b": 1}, id=3))
        assert said["error"]["data"]["code"] == "overloaded"
        answer = {"action": "accept", "content": {"name": "Ada"}}
        await here.say({"jsonrpc": "2.0", "id": question["id"], "result": answer})
        assert (await here.next())["id"] == 1
        assert (await here.ask(call("add", {"a": 1, "b": 1}, id=3)))["result"]


async def test_the_bytes_of_what_is_unanswered_are_counted_as_long_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_UNANSWERED_BYTES", 5000)
    async with stage(add) as here:
        await here.session()
        for id_ in range(20):
            assert (await here.ask(call("add", {"a": 1, "b": 1}, id=str(id_) + "x" * 200)))["result"]
        said = await here.ask(request("ping", {"padding": "x" * 6000}))
        assert said["error"]["data"]["code"] == "overloaded"
        assert here.connection._size == 0


async def test_a_client_that_does_not_read_makes_tools_wait() -> None:
    sent = 0

    @tool
    async def floods(ctx: Context) -> None:
        nonlocal sent
        while True:
            await ctx.progress(sent)
            sent += 1

    async with stage(floods, add) as here:
        await here.session()
        here.gate.clear()
        await here.say(call("floods", id=1, token="t"))
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.05)
        assert 0 < sent <= 1000  # a window, and what the reader had
        here.gate.set()
        await here.next()
        await here.say(cancelled(1))
        await here.say(request("ping", id=2))
        await here.until(lambda each: each.get("id") == 2)


async def test_lost_notifications_do_not_end_those_to_come() -> None:
    """A client that does not read for long loses changes, and gets those after them."""
    async with stage(add, resources=[]) as here:
        await here.session()
        session = here.connection._session
        here.gate.clear()
        for number in range(400):
            session.notify("notifications/resources/updated", {"uri": f"test://{number}"})
            await asyncio.sleep(0)
        here.gate.set()
        session.notify("notifications/resources/updated", {"uri": "test://last"})
        seen = await here.until(lambda each: each["params"]["uri"] == "test://last")
        assert len(seen) < 400
