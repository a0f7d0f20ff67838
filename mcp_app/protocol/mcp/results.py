"""Renders a run's last event as the response to its request: a result, an error for the model, or a JSON-RPC error.

Pure rendering, for every revision; the differences between revisions are in the request's `Wire`. Nothing is validated,
and the effects of leaving and of the cap are not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

from ..asking import MissingCapability
from ..beside import Beside
from ..error_kind import ErrorKind
from ..event import BLOCKS, Event, EventType, Shape, decode, encode
from ..excerpt import Excerpt
from . import content, jsonrpc
from .advice import object_in_mcp
from .jsonrpc import Code
from .request_info import RequestInfo
from .revisions import Structure

Parts = Excerpt[Event]

# Looked up once: an enum's attribute access is slow.
_VALUE, _ABSENT, _WRAPPED = Shape.VALUE, Structure.ABSENT, Structure.WRAPPED


MAX_MESSAGE_BYTES = 1024 * 1024 - 256
"""A larger response is shortened where it is an event of a stream. The official Python SDK 2.x ends a stream with an
event of more than 1 MiB, in which it counts the names of the fields, the event's id and its type; no client is known
that bounds a JSON body."""

MAX_ERROR_CHARS = 16 * 1024
"""The longest text of an error whose object is in `_meta` as well: an author's message may be as large as an event, and
twice that is more than clients take."""

_CUT = "This text is cut: an event of the stream has a bound. All of it is in structuredContent.\n"


def response(info: RequestInfo, event: Event, parts: Parts | None, *, short: bool = False) -> bytes:
    """The response; `parts` are those that have been streamed, None for none.

    `short`: at most MAX_MESSAGE_BYTES, if that is possible without what stands twice: the parts, which the client has
    been sent, and the end of a structured value's text. The value stays whole, as clients validate it.
    """
    if event.type is EventType.COMPLETE:
        if short:
            return _shortened(info, event, parts)
        return jsonrpc.result(info.id, scalar(info, event, parts) or encode(result(info, event, parts)))
    if event.type is EventType.INPUT_REQUIRED:
        return jsonrpc.result(info.id, encode(_input_required(info, event)))
    problem: dict[str, Any] = object_in_mcp(decode(event.data))
    code = _code(info, event.error_kind)
    if code is None:
        return jsonrpc.result(info.id, encode(failed(info, problem)))
    return jsonrpc.error(info.id, code, problem["message"], encode(problem))


def status(info: RequestInfo, event: Event) -> int:
    """The HTTP status of the response, if nothing has been sent before it."""
    if event.error_kind is ErrorKind.MISSING_CAPABILITY and info.wire.capability_error:
        return MissingCapability.status
    return 200


def failed(info: RequestInfo, problem: Mapping[str, Any]) -> dict[str, Any]:
    """An error that the model can read and correct, as the result of a call (2025-11-25 and 2026-07-28, Tools).

    For programs the error object is in `_meta`, with its code, unless it is so long that once is enough.
    """
    message: str = problem["message"]
    details = (f"{each['field']}: {each['problem']}" for each in problem.get("details", ()))
    lines = [message, *(each for each in details if each not in message)]
    if problem.get("hint"):
        lines.append(problem["hint"])
    if problem.get("error_id"):
        lines.append(f"error_id: {problem['error_id']}")
    text = "\n".join(lines)
    meta = {"_meta": {f"{info.namespace}error": dict(problem)}} if len(text) <= MAX_ERROR_CHARS else {}
    return info.typed({"content": [_text(text)], "isError": True, **meta})


def _code(info: RequestInfo, kind: ErrorKind | None) -> Code | None:
    """The code of a JSON-RPC error, for a call without a result. None for an error about the call itself, which the
    model is to read (SEP-1303): a result with `isError`, which only tools have.
    """
    if kind is ErrorKind.MISSING_CAPABILITY and info.wire.capability_error:
        return Code.MISSING_CLIENT_CAPABILITY
    if kind is ErrorKind.URL_REQUIRED:
        return Code.URL_ELICITATION_REQUIRED
    if info.raw is None and kind is not ErrorKind.SERVER:
        return None
    return info.wire.resource_not_found if kind is ErrorKind.UNKNOWN_RESOURCE else Code.INTERNAL_ERROR


def _input_required(info: RequestInfo, event: Event) -> dict[str, Any]:
    """InputRequiredResult (2026-07-28, basic/patterns/mrtr): the input requests, and the state for the retry."""
    if info.seal is None:
        raise ValueError("a run that nobody can start again asked for input")
    required = decode(event.data)
    state = info.seal(required["state"])
    return info.typed(
        {"resultType": "input_required", "inputRequests": required["inputRequests"], "requestState": state}
    )


def scalar(info: RequestInfo, event: Event, parts: Parts | None) -> bytes | None:
    """The fast path for a tool that returned a string, a number, a boolean or null and streamed no parts, as most do:
    the encoded value is copied into the result. None for all other runs; `result` gives the same bytes for any.
    """
    value = event.data
    if value.startswith((b"{", b"[")) or parts is not None or event.shape is not _VALUE or event.beside:
        return None
    if info.raw is not None:
        return None
    type_ = b'"resultType":"complete",' if info.wire.result_type else b""
    text = value if value.startswith(b'"') else b'"%b"' % value
    structure, meta = info.structure, info.meta
    structured = b""
    if structure is not _ABSENT:
        structured = b',"structuredContent":%b' % (b'{"result":%b}' % value if structure is _WRAPPED else value)
    meta_part = b',"_meta":%b' % encode(meta) if meta else b""
    return b'{%b"content":[{"type":"text","text":%b}]%b%b}' % (type_, text, structured, meta_part)


def _shortened(info: RequestInfo, event: Event, parts: Parts | None) -> bytes:
    found = result(info, event, parts, repeat=False)
    message = jsonrpc.result(info.id, encode(found))
    if info.structure is Structure.ABSENT or event.shape in BLOCKS or Beside.of(event).text is not None:
        return message
    beginning = _beginning(_own_blocks(event)[0]["text"], MAX_MESSAGE_BYTES - len(message))
    found["content"] = [_text(_CUT + beginning), *found["content"][1:]]
    return jsonrpc.result(info.id, encode(found))


def _beginning(text: str, most: int) -> str:
    """As much of the text as has at most that many bytes in JSON."""
    text = text[: max(0, most)]
    while text and (size := len(encode(text))) > most:
        text = text[: min(len(text) - 1, len(text) * most // size)]
    return text


def result(info: RequestInfo, event: Event, parts: Parts | None, *, repeat: bool = True) -> dict[str, Any]:
    """The result of any run that has one. Without `repeat`, what stands in it twice stands once."""
    if info.raw is not None:
        return info.typed({**content.downgrade(decode(event.data), info.wire.unsupported_content), **info.raw})
    streamed = [] if parts is None else parts.items
    found: dict[str, Any]
    meta: dict[str, Any] = {}
    truncated = parts is not None and parts.truncated
    beside = Beside.of(event)
    structure = _structure(info, event, beside)
    if event.shape is Shape.PARTS and structure is Structure.ABSENT:
        found = {"content": list(chain.from_iterable(map(_own_blocks, streamed)))}
    elif event.shape is Shape.LINK and structure is not Structure.ABSENT:
        found = _not_here(_own_blocks(event)[0], beside)
    else:
        structured = structure is not Structure.ABSENT
        found = {"content": _blocks(event, beside, repeat=repeat or not structured)}
        # Of any shape: a tool that declares any value may return content, and a generator whose result may be null
        # may end without one.
        if structured:
            value = decode(event.data)
            found["structuredContent"] = value if structure is Structure.BARE else {"result": value}
        if streamed and repeat:
            meta[f"{info.namespace}partial"] = [decode(each.data) for each in streamed]
        truncated = truncated or (bool(streamed) and not repeat)
    if parts is not None and truncated:
        meta[f"{info.namespace}truncated"] = {"truncated": True, "items": parts.total}
    if meta or beside.meta:
        found["_meta"] = {**beside.meta, **info.meta, **meta}
    return info.typed(content.downgrade(found, info.wire.unsupported_content))


def _structure(info: RequestInfo, event: Event, beside: Beside) -> Structure:
    """The structure of a tool without one, whose result has a text in the place of its JSON: the data would be nowhere
    in the message. Else the tool's own."""
    if info.structure is _ABSENT and beside.text is not None and event.shape is _VALUE:
        return info.wire.structure(_WRAPPED)
    return info.structure


def _blocks(event: Event, beside: Beside, *, repeat: bool) -> list[dict[str, Any]]:
    """The text, or the data in its place; data that is blocks; the content beside it."""
    if beside.text is None:
        own = _own_blocks(event) if repeat else [_CUT_BLOCK]
    else:
        own = [_text(beside.text), *(_own_blocks(event) if repeat and event.shape in BLOCKS else ())]
    return [*own, *beside.content]


def _own_blocks(event: Event) -> list[dict[str, Any]]:
    data = event.data
    if event.shape in BLOCKS:
        blocks: list[dict[str, Any]] = decode(data)
        return blocks
    return [_text(decode(data) if data.startswith(b'"') else data.decode())]


def _not_here(link: Mapping[str, Any], beside: Beside) -> dict[str, Any]:
    """A linked result where the tool has an output schema: "Servers MUST provide structured results that conform to
    this schema" (2025-06-18, Tools, Output Schema), and official clients raise where there is none. Only an error needs
    none."""
    text = f"The result is not in this message: it has {link['description']} Read it at {link['uri']}."
    said = [] if beside.text is None else [_text(beside.text)]
    return {"content": [_text(text), dict(link), *said, *beside.content], "isError": True}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


_CUT_BLOCK = _text(_CUT)
