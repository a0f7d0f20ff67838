"""A whole run as one JSON object: bounded, with the first that fit, and the status that its end deserves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcp_app import ToolError
from mcp_app.middleware import Batch, Mark
from mcp_app.middleware.json_fallback import collect
from mcp_app.protocol import errors
from mcp_app.protocol.errors import Interrupted
from mcp_app.protocol.event import Entry, Event, EventType, encode
from mcp_app.protocol.excerpt import MAX_BYTES, MAX_ITEMS, Excerpt

STARTED = Event(EventType.STARTED, b'"t"', b'{"run":"r"}')
COMPLETE = Event(EventType.COMPLETE, b'{"a":1}', b'{"duration_ms":5,"events":9}')


class Given:
    """A reader that gives out these events, some at a time."""

    def __init__(self, *events: Event, each: int = 100) -> None:
        entries = [Entry(number, event, number) for number, event in enumerate(events, 1)]
        self.batches: list[Batch] = [entries[at : at + each] for at in range(0, len(entries), each)]

    async def next(self, until: float) -> Batch | None:
        return self.batches.pop(0) if self.batches else None

    def close(self) -> None: ...


def progress(size: int = 1, count: int = 1) -> list[Event]:
    return [Event(EventType.PROGRESS, b'"%s"' % (b"x" * (size - 2)) if size > 1 else b"1")] * count


async def collected(*events: Event) -> tuple[int, dict[str, Any]]:
    status, body = await collect(Given(STARTED, *events), "t", "r")
    return status, json.loads(body)


async def test_a_result_with_what_happened_on_the_way() -> None:
    log = Event(EventType.LOG, b'{"level":"info","message":"m"}')
    part = Event(EventType.PROGRESS, b"5", b'{"progress":1,"total":2}')
    assert await collected(part, log, COMPLETE) == (
        200,
        {
            "type": "complete",
            "tool": "t",
            "data": {"a": 1},
            "progress": [
                {"type": "progress", "data": 5, "metadata": {"progress": 1, "total": 2}},
                {"type": "log", "data": {"level": "info", "message": "m"}},
            ],
            "metadata": {"run": "r", "duration_ms": 5, "events": 9},
        },
    )


async def test_empty_batches_and_marks_are_nothing() -> None:
    given = Given(STARTED, COMPLETE, each=1)
    given.batches[1:1] = [[], (Mark.HEARTBEAT,), []]
    status, body = await collect(given, "t", "r")
    assert (status, json.loads(body)["progress"]) == (200, [])


# --- what is kept ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "size", "kept", "truncated"),
    [
        (MAX_ITEMS, 1, MAX_ITEMS, False),
        (MAX_ITEMS + 1, 1, MAX_ITEMS, True),
        (50_000, 1, MAX_ITEMS, True),
        (16, MAX_BYTES // 16, 16, False),
        (17, MAX_BYTES // 16, 16, True),
        (1, MAX_BYTES, 1, False),
        (2, MAX_BYTES, 1, True),
    ],
)
async def test_the_first_that_fit(count: int, size: int, kept: int, truncated: bool) -> None:
    status, answer = await collected(*progress(size, count), COMPLETE)
    assert (status, answer["type"], len(answer["progress"])) == (200, "complete", kept)
    expected = {"truncated": True, "items": count} if truncated else {}
    assert {name: answer["metadata"][name] for name in ("truncated", "items") if name in answer["metadata"]} == expected


async def test_what_comes_after_one_that_did_not_fit_is_not_kept_though_it_would() -> None:
    _, answer = await collected(*progress(1), *progress(MAX_BYTES), *progress(1, 5), COMPLETE)
    assert answer["progress"] == [{"type": "progress", "data": 1}]
    assert answer["metadata"]["items"] == 7


async def test_a_flood_costs_no_more_than_its_bound() -> None:
    kept: Excerpt[Event] = Excerpt()
    for event in progress(60_000, 20_000):
        kept.add(event, event.size)
    assert sum(event.size for event in kept.items) == kept.size <= MAX_BYTES
    assert kept.total == 20_000


# --- the status ------------------------------------------------------------------------------------------------------


class Quota(ToolError):
    code = "quota"
    status = 429


class Busy(ToolError):
    """Of an author, by a word that is ours as well."""

    code = "time_cap"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.ToolFailed("m"), 500),
        (errors.TimeCap("m"), 504),
        (errors.Shutdown("m"), 503),
        (errors.Cancelled("m"), 409),
        (errors.Left("m"), 409),
        (errors.EventTooLarge("m"), 500),
        (ToolError("m"), 500),
        (Quota("m"), 500),
        (Busy("m"), 500),
    ],
    ids=lambda value: getattr(value, "code", value),
)
async def test_a_failure_is_a_status_with_the_progress_so_far(error: errors.McpAppError, status: int) -> None:
    end = Event(EventType.ERROR, encode(error.object()), b'{"duration_ms":5,"events":3}', error_kind=error.error_kind)
    answered, answer = await collected(*progress(1), end)
    assert answered == status
    assert answer["error"] == error.object()
    assert answer["progress"] == [{"type": "progress", "data": 1}]
    assert "data" not in answer


@pytest.mark.parametrize("error", [errors.Purged("m"), errors.UnknownRun("m")], ids=lambda error: error.code)
async def test_what_the_reader_raises_is_not_an_answer(error: errors.McpAppError) -> None:
    class Raising(Given):
        async def next(self, until: float) -> Batch | None:
            raise error

    with pytest.raises(type(error)):
        await collect(Raising(), "t", "r")


async def test_a_stream_without_a_last_event_is_of_a_run_that_was_lost() -> None:
    with pytest.raises(Interrupted, match="has lost it"):
        await collect(Given(STARTED), "t", "r")
