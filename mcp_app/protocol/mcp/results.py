"""The last event of a run as the response to its request: a result, an error for the model to read, or one of JSON-RPC.

Pure rendering, for every revision; what differs between revisions is in the request's `Wire`. Nothing is validated, and
what leaving or the cap mean is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

from ..asking import MissingCapability
from ..error_kind import ErrorKind
from ..event import Event, EventType, Shape, decode, encode
from ..excerpt import Excerpt
from . import content, jsonrpc
from .asked import Asked
from .jsonrpc import Code
from .revisions import Structure

Parts = Excerpt[Event]

# Looked up once: an enum's metaclass does it, slowly.
_VALUE, _ABSENT, _WRAPPED = Shape.VALUE, Structure.ABSENT, Structure.WRAPPED


def response(asked: Asked, event: Event, parts: Parts | None) -> bytes:
    """The response; `parts` is what was streamed before, None for nothing."""
    if event.type is EventType.COMPLETE:
        return jsonrpc.result(asked.id, scalar(asked, event, parts) or encode(result(asked, event, parts)))
    if event.type is EventType.INPUT_REQUIRED:
        return jsonrpc.result(asked.id, encode(_input_required(asked, event)))
    problem: dict[str, Any] = decode(event.data)
    code = _code(asked, event.error_kind)
    if code is None:
        return jsonrpc.result(asked.id, encode(failed(asked, problem)))
    return jsonrpc.error(asked.id, code, problem["message"], encode(problem))


def status(asked: Asked, event: Event) -> int:
    """The HTTP status of the response, when nothing was sent before it."""
    if event.error_kind is ErrorKind.MISSING_CAPABILITY and asked.wire.capability_error:
        return MissingCapability.status
    return 200


def failed(asked: Asked, problem: Mapping[str, Any]) -> dict[str, Any]:
    """An error that the model may read and mend, as the result of a call (2025-11-25 and 2026-07-28, Tools)."""
    lines = [problem["message"], *(f"{each['field']}: {each['problem']}" for each in problem.get("details", ()))]
    if problem.get("hint"):
        lines.append(problem["hint"])
    if problem.get("error_id"):
        lines.append(f"error_id: {problem['error_id']}")
    return asked.typed({"content": [_text("\n".join(lines))], "isError": True})


def _code(asked: Asked, kind: ErrorKind | None) -> Code | None:
    """The code of a JSON-RPC error, which says that there is no result; None for an error that says something of the
    call itself, which is for the model to read (SEP-1303): a result with `isError`. Only a tool's result can be that.
    """
    if kind is ErrorKind.MISSING_CAPABILITY and asked.wire.capability_error:
        return Code.MISSING_CLIENT_CAPABILITY
    if kind is ErrorKind.URL_REQUIRED:
        return Code.URL_ELICITATION_REQUIRED
    if asked.raw is None and kind is not ErrorKind.SERVER:
        return None
    return asked.wire.nothing_there if kind is ErrorKind.UNKNOWN_RESOURCE else Code.INTERNAL_ERROR


def _input_required(asked: Asked, event: Event) -> dict[str, Any]:
    """InputRequiredResult (2026-07-28, basic/patterns/mrtr): what is asked, and the state to come back with."""
    if asked.seal is None:
        raise ValueError("a run that nobody can start again asked for input")
    required = decode(event.data)
    state = asked.seal(required["state"])
    return asked.typed(
        {"resultType": "input_required", "inputRequests": required["inputRequests"], "requestState": state}
    )


def scalar(asked: Asked, event: Event, parts: Parts | None) -> bytes | None:
    """The result of a tool that returned a text, a number, a boolean or nothing, and streamed no parts of it: most do,
    and what they returned is put between bytes as it is. None for all others, which `result` makes the same.
    """
    value = event.data
    if value.startswith((b"{", b"[")) or parts is not None or event.shape is not _VALUE or asked.raw is not None:
        return None
    type_ = b'"resultType":"complete",' if asked.wire.result_type else b""
    text = value if value.startswith(b'"') else b'"%b"' % value
    structure, meta = asked.structure, asked.meta
    structured = b""
    if structure is not _ABSENT:
        structured = b',"structuredContent":%b' % (b'{"result":%b}' % value if structure is _WRAPPED else value)
    meta_part = b',"_meta":%b' % encode(meta) if meta else b""
    return b'{%b"content":[{"type":"text","text":%b}]%b%b}' % (type_, text, structured, meta_part)


def result(asked: Asked, event: Event, parts: Parts | None) -> dict[str, Any]:
    """The result of any run that has one."""
    if asked.raw is not None:
        return asked.typed({**content.known(decode(event.data), asked.wire.lacking), **asked.raw})
    streamed = [] if parts is None else parts.items
    found: dict[str, Any]
    meta: dict[str, Any] = {}
    if event.shape is Shape.PARTS and asked.structure is Structure.ABSENT:
        found = {"content": list(chain.from_iterable(map(_blocks, streamed)))}
    else:
        found = {"content": _blocks(event)}
        # Whatever its shape: who declares any value may return content, and a generator whose result may be null none.
        if asked.structure is not Structure.ABSENT:
            value = decode(event.data)
            found["structuredContent"] = value if asked.structure is Structure.WHOLE else {"result": value}
        if streamed:
            meta[f"{asked.namespace}partial"] = [decode(each.data) for each in streamed]
    if parts is not None and parts.truncated:
        meta[f"{asked.namespace}truncated"] = {"truncated": True, "items": parts.seen}
    if meta:
        found["_meta"] = meta
    return asked.typed(content.known(found, asked.wire.lacking))


def _blocks(event: Event) -> list[dict[str, Any]]:
    data = event.data
    if event.shape is Shape.CONTENT:
        blocks: list[dict[str, Any]] = decode(data)
        return blocks
    return [_text(decode(data) if data.startswith(b'"') else data.decode())]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
