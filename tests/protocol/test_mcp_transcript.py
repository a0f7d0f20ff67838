"""Events of a run as JSON-RPC messages, each checked against the schema of its revision."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types.methods import parse_server_notification, parse_server_request, validate_server_result

from mcp_app.protocol import asking, errors
from mcp_app.protocol.error_kind import ErrorKind
from mcp_app.protocol.event import LEVELS, Entry, Event, EventType, Shape, encode
from mcp_app.protocol.excerpt import MAX_ITEMS
from mcp_app.protocol.mcp.notifications import MESSAGE_CHARS
from mcp_app.protocol.mcp.request_info import RequestInfo
from mcp_app.protocol.mcp.results import status
from mcp_app.protocol.mcp.revisions import Structure, Wire
from mcp_app.protocol.mcp.transcript import Transcript

NEW = Wire(result_type=True, structured=True, any_structure=True, capability_error=True, described_by=frozenset())
OLD = Wire(result_type=False, structured=True, any_structure=False, described_by=frozenset())
TEXT = Wire(result_type=False, structured=False, any_structure=False, described_by=frozenset())
WIRES = [(NEW, "2026-07-28"), (OLD, "2025-11-25"), (OLD, "2025-06-18"), (TEXT, "2025-03-26")]
BY_WIRE = pytest.mark.parametrize(("wire", "version"), WIRES, ids=[version for _, version in WIRES])
NAMESPACE = "com.example/"


def _subclasses(kind: type[errors.McpAppError]) -> set[type[errors.McpAppError]]:
    return {kind}.union(*map(_subclasses, kind.__subclasses__()))


FIXED = {code for each in _subclasses(errors.McpAppError) if isinstance(code := getattr(each, "code", None), str)}
CODES = FIXED | {"no_customer", "not_found"}


def transcript(wire: Wire = NEW, **more: Any) -> Transcript:
    return Transcript(RequestInfo(7, wire, NAMESPACE, **more))


def event(
    kind: str, data: Any, shape: Shape = Shape.VALUE, error_kind: ErrorKind | None = None, **metadata: Any
) -> Event:
    return Event(EventType(kind), encode(data), encode(metadata) if metadata else b"", shape, error_kind)


def failure(error: errors.McpAppError) -> Event:
    return event("error", error.object(), error_kind=error.error_kind)


def added(told: Transcript, *events: Event) -> list[bytes | None]:
    """What each of the events is to the client."""
    return [told.add(Entry(told.last_number + 1, each, 0)) for each in events]


def only(told: Transcript, each: Event) -> bytes | None:
    [message] = added(told, each)
    return message


def notified(message: bytes | None, version: str = "2026-07-28") -> dict[str, Any]:
    assert message is not None
    said: dict[str, Any] = json.loads(message)
    assert "id" not in said
    parse_server_notification(said["method"], version, said["params"])
    params: dict[str, Any] = said["params"]
    return params


def result(message: bytes, version: str) -> dict[str, Any]:
    said = json.loads(message)
    assert (said["jsonrpc"], said["id"]) == ("2.0", 7)
    validate_server_result("tools/call", version, said["result"])
    found: dict[str, Any] = said["result"]
    return found


# --- results ---------------------------------------------------------------------------------------------------------


@BY_WIRE
@pytest.mark.parametrize("value", [{"a": 1}, [1, 2], 5, "text", None])
def test_a_value_is_text_and_structure_where_there_is_any(wire: Wire, version: str, value: Any) -> None:
    structure = wire.structure(Structure.BARE if isinstance(value, dict) else Structure.WRAPPED)
    said = result(transcript(wire, structure=structure).response(event("complete", value)), version)
    [block] = said["content"]
    assert block["text"] == (value if isinstance(value, str) else json.dumps(value, separators=(",", ":")))
    assert ("resultType" in said) is wire.result_type
    if not wire.structured:
        assert "structuredContent" not in said
    else:
        whole = wire.any_structure or isinstance(value, dict)
        assert said["structuredContent"] == (value if whole else {"result": value})


@BY_WIRE
def test_content_is_passed_on(wire: Wire, version: str) -> None:
    blocks = [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]
    assert (
        result(transcript(wire).response(event("complete", blocks, Shape.CONTENT, content=True)), version)["content"]
        == blocks
    )


@BY_WIRE
def test_a_failure_is_for_the_model(wire: Wire, version: str) -> None:
    failed = failure(errors.ToolFailed("no", hint="try", error_id="ab"))
    said = result(transcript(wire).response(failed), version)
    assert said["isError"] is True
    assert said["content"][0]["text"].splitlines() == ["no", "try", "error_id: ab"]


@pytest.mark.parametrize("kind", [errors.TimeCap, errors.Shutdown, errors.Cancelled, errors.Left, errors.InternalError])
@BY_WIRE
def test_what_has_no_result_is_an_error(wire: Wire, version: str, kind: type[errors.McpAppError]) -> None:
    error = kind("m", hint="")
    said = json.loads(transcript(wire).response(failure(error)))
    expected = {"code": -32603, "message": "m", "data": {"code": kind.code, "message": "m"}}
    assert said == {"jsonrpc": "2.0", "id": 7, "error": expected}


@pytest.mark.parametrize("code", sorted(CODES))
@BY_WIRE
def test_an_error_of_the_authors_own_is_for_the_model_whatever_its_code(wire: Wire, version: str, code: str) -> None:
    class Own(errors.ToolError):
        pass

    Own.code = code
    said = result(transcript(wire).response(failure(Own("read me"))), version)
    assert said["isError"] is True
    assert said["content"][0]["text"].splitlines()[0] == "read me"


def test_pages_to_be_opened_are_an_error_of_their_own() -> None:
    error = asking.UrlRequired([{"mode": "url"}])
    said = json.loads(transcript(OLD).response(failure(error)))["error"]
    assert (said["code"], said["data"]["elicitations"]) == (-32042, [{"mode": "url"}])


@BY_WIRE
def test_a_missing_capability(wire: Wire, version: str) -> None:
    error = asking.MissingCapability({"roots": {}}, "m")
    told, last = transcript(wire), failure(error)
    said = json.loads(told.response(last))
    if wire is NEW:
        found = (status(told.info, last), said["error"]["code"], said["error"]["data"])
        assert found == (400, -32021, error.object())
    else:
        assert status(told.info, last) == 200
        assert said["result"]["isError"] is True


def test_other_ends_are_200() -> None:
    for last in (
        event("complete", 1),
        event("input_required", {"inputRequests": {}, "state": {}}),
        failure(errors.TimeCap("")),
    ):
        assert status(transcript().info, last) == 200


def test_what_is_required_carries_its_sealed_state() -> None:
    requests = {"k": {"method": "roots/list", "params": {}}}
    asked = transcript(seal=lambda payload: f"sealed {json.dumps(payload)}", meta={"a/b": 1})
    said = result(asked.response(event("input_required", {"inputRequests": requests, "state": {"x": 1}})), "2026-07-28")
    assert said == {
        "resultType": "input_required",
        "inputRequests": requests,
        "requestState": 'sealed {"x": 1}',
        "_meta": {"a/b": 1},
    }


def test_nothing_is_required_where_no_call_comes_again() -> None:
    with pytest.raises(ValueError, match="start again"):
        transcript(OLD).response(event("input_required", {"inputRequests": {}, "state": {}}))


@pytest.mark.parametrize("version", ["2025-11-25", "2025-06-18"])
def test_a_question_is_a_request(version: str) -> None:
    schema = {"type": "object", "properties": {}}
    params = {"message": "m", "requestedSchema": schema}
    question = event("ask", {"id": "x", "method": "elicitation/create", "params": params})
    message = only(transcript(OLD), question)
    assert message is not None
    said = json.loads(message)
    assert said == {"jsonrpc": "2.0", "id": "x", "method": "elicitation/create", "params": params}
    parse_server_request(said["method"], version, said["params"])


# --- progress --------------------------------------------------------------------------------------------------------


def test_without_a_token_there_is_no_progress() -> None:
    assert only(transcript(), event("progress", {}, progress=1)) is None
    assert transcript().keepalive(1, 2) is None


@pytest.mark.parametrize("token", ["t", 0])
def test_progress_has_its_token_and_numbers(token: str | int) -> None:
    params = notified(only(transcript(progress_token=token), event("progress", {"message": "m"}, progress=1, total=2)))
    assert params == {"progressToken": token, "progress": 1, "total": 2, "message": "m"}


@given(st.lists(st.none() | st.integers(-100, 100) | st.floats(-1e9, 1e9)))
def test_progress_always_increases(numbers: list[float | None]) -> None:
    asked = transcript(progress_token="t")
    seen: list[float] = []
    for each in numbers:
        metadata = {} if each is None else {"progress": each}
        seen.append(notified(only(asked, event("progress", {}, **metadata)))["progress"])
        seen.append(notified(asked.keepalive(1, 120))["progress"])
    assert all(before < after for before, after in itertools.pairwise(seen))


def test_a_part_is_named_in_a_line_and_whole_in_meta() -> None:
    asked = transcript(progress_token="t")
    part = {"text": "x" * 500}
    params = notified(only(asked, event("partial", part)))
    assert len(params["message"]) == MESSAGE_CHARS
    assert params["_meta"] == {f"{NAMESPACE}partial": part}
    said = result(asked.response(event("complete", 1)), "2026-07-28")
    assert said["_meta"] == {f"{NAMESPACE}partial": [part]}


def test_parts_are_repeated_within_bounds() -> None:
    asked = transcript()
    for number in range(MAX_ITEMS + 5):
        assert only(asked, event("partial", number)) is None
    meta = result(asked.response(event("complete", 1)), "2026-07-28")["_meta"]
    assert meta[f"{NAMESPACE}partial"] == list(range(MAX_ITEMS))
    assert meta[f"{NAMESPACE}truncated"] == {"truncated": True, "items": MAX_ITEMS + 5}


# --- log -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [None, *LEVELS])
def test_a_log_is_sent_from_the_level_asked_for(wanted: str | None) -> None:
    asked = transcript(level=wanted)
    sent = [each for each in LEVELS if only(asked, event("log", {"level": each, "message": "m"})) is not None]
    assert sent == ([] if wanted is None else list(LEVELS[LEVELS.index(wanted) :]))


def test_a_log_has_its_data() -> None:
    asked = transcript(level="debug")
    plain = notified(only(asked, event("log", {"level": "info", "message": "m"})))
    assert plain == {"level": "info", "data": "m"}
    more = notified(only(asked, event("log", {"level": "info", "message": "m", "data": [1]})))
    assert more["data"] == {"message": "m", "data": [1]}


def test_what_is_no_message_says_nothing() -> None:
    asked = transcript(progress_token="t", level="debug")
    assert added(asked, event("started", "tool"), event("let_go", None)) == [None, None]
