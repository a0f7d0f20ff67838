"""The MCP dialect: entries of a run's log as JSON-RPC notifications, its last event as the response.

Pure rendering, for every revision; what differs between revisions is in the `Wire` that it is told. Which methods exist
and what leaving or the cap mean is not decided here, and nothing is validated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from ..asking import MissingCapability
from ..event import Event, EventType, decode, encode
from . import content, jsonrpc
from .jsonrpc import Code, Id
from .progress import Progress, message_in
from .rpc_error import RPC_CODES

MESSAGE_CHARS = 200
"""Of a partial result in a progress notification's message: a line for a person. The whole of it is in `_meta`."""

MAX_ITEMS = 1000
MAX_BYTES = 1024 * 1024
"""What is repeated in the result of all that was streamed: as much as the JSON fallback of the plain dialect keeps."""

LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""RFC 5424, 6.2.1, least severe first."""

# Errors that say something of the call itself are for the model to read (SEP-1303): a result with `isError`. The others
# say that there is no result, and are JSON-RPC errors.
_FOR_THE_MODEL = frozenset({"tool_failed", "event_too_large", "invalid_params"})
_NOTHING_THERE = "unknown_resource"  # said by the function of a resource; it is no error of the protocol's own
_PROGRESS, _LOG = EventType.PROGRESS, EventType.LOG  # looked up once: an enum's metaclass does it, slowly
_CODES = {kind.code: code for kind, (code, _) in RPC_CODES.items() if hasattr(kind, "code")}


@dataclass(frozen=True, slots=True)
class Wire:
    """How results look in one revision.

    `result_type`: whether results carry `resultType` (2026-07-28). `any_structure`: whether structured content may be
    any JSON value, or must be an object (up to 2025-11-25). `structured`: whether it exists at all (2025-06-18).
    `capability_error`: whether a capability that the client lacks is an error of its own (2026-07-28), or one for the
    model to read. `nothing_there`: the code of a resource that is not there. `lacking`: kinds of content that do not
    exist in it.
    """

    result_type: bool
    structured: bool
    any_structure: bool
    capability_error: bool = False
    nothing_there: Code = Code.RESOURCE_NOT_FOUND
    lacking: frozenset[str] = frozenset()


@dataclass(slots=True)
class Exchange:
    """One request, and what it asked for.

    `progress_token` and `level` are None where the client wants no progress or no log; `namespace` is the prefix of our
    own `_meta` keys, with its slash.
    """

    id: Id
    wire: Wire
    namespace: str
    progress_token: str | int | None = None
    level: str | None = None
    has_output_schema: bool = False
    raw: Mapping[str, Any] | None = None
    """Set for what is no tool: the run's data is the result itself, with these members added."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """For the `_meta` of every result."""
    seal: Callable[[Any], str] | None = None
    """Makes the `requestState` of what an unfinished call has to know; None where no call comes again (sessions)."""
    counted: int = field(default=0, init=False)
    """The number of the last entry that was rendered: one that is rendered again must not count twice."""
    heard_by: object = field(default=None, init=False)
    """The token of whoever gives its messages out now: each goes to one stream only."""
    handle: bytes | None = field(default=None, init=False)
    """The response, when it does not tell what became of the run but how to follow it."""
    _progress: Progress | None = field(default=None, init=False)
    _kept: list[tuple[bytes, bool]] = field(default_factory=list, init=False)
    _kept_bytes: int = field(default=0, init=False)
    _seen: int = field(default=0, init=False)

    @property
    def kept_bytes(self) -> int:
        """Bytes of what was streamed that are kept for the result."""
        return self._kept_bytes

    def notification(self, event: Event) -> bytes | None:
        """The event as a notification; None when the client did not ask for its kind."""
        if event.type is _PROGRESS:
            return self._progress_notification(event)
        if event.type is _LOG:
            return self._log_notification(event)
        if event.type is EventType.ASK:  # no notification but a request of ours: it goes the same way
            asked = decode(event.data)
            if "id" not in asked:  # that what was asked for is done
                return jsonrpc.notification(asked["method"], encode(asked["params"]))
            return jsonrpc.request(asked["id"], asked["method"], encode(asked["params"]))
        return None

    def silent_progress(self, seconds: float, cap: float) -> bytes | None:
        """Progress of a tool that says nothing: clients give up after 60 s without any (it counts as life to them).

        A step so small that it never gets ahead of the tool's own numbers.
        """
        if self.progress_token is None:
            return None
        progress = self._progress or self._begun(self.progress_token)
        return progress.told(encode(f"working, {seconds:.0f} of at most {cap:.0f} s"), b"")

    def response(self, event: Event) -> bytes:
        """The run's last event as the response to the request."""
        if event.type is EventType.COMPLETE:
            return jsonrpc.result(self.id, self._scalar(event) or encode(self._result(event)))
        if event.type is EventType.INPUT_REQUIRED:
            return jsonrpc.result(self.id, encode(self._input_required(event)))
        problem: dict[str, Any] = decode(event.data)
        code = _CODES.get(problem["code"])
        if problem["code"] == MissingCapability.code and self.wire.capability_error:
            code = Code.MISSING_CLIENT_CAPABILITY
        if self.raw is not None:  # only a tool's result can be an error
            if problem["code"] == _NOTHING_THERE:
                code = self.wire.nothing_there
            return jsonrpc.error(self.id, code or Code.INTERNAL_ERROR, problem["message"], encode(problem))
        if code is None or problem["code"] in _FOR_THE_MODEL:  # None: a code that the tool's author made up
            return jsonrpc.result(self.id, encode(self.failed(problem)))
        return jsonrpc.error(self.id, code, problem["message"], encode(problem))

    def status(self, event: Event) -> int:
        """The HTTP status of the response, when nothing was sent before it."""
        if event.type is EventType.ERROR and self.wire.capability_error:
            return MissingCapability.status if decode(event.data)["code"] == MissingCapability.code else 200
        return 200

    def failed(self, problem: Mapping[str, Any]) -> dict[str, Any]:
        """An error that the model may read and mend, as the result of a call (2025-11-25 and 2026-07-28, Tools)."""
        lines = [problem["message"], *(f"{each['field']}: {each['problem']}" for each in problem.get("details", ()))]
        if problem.get("hint"):
            lines.append(problem["hint"])
        if problem.get("error_id"):
            lines.append(f"error_id: {problem['error_id']}")
        return self.typed({"content": [_text("\n".join(lines))], "isError": True})

    def typed(self, result: dict[str, Any]) -> dict[str, Any]:
        """The result, with its type where the revision has types, and what stands in the `_meta` of all."""
        if self.meta:
            result = {**result, "_meta": {**self.meta, **result.get("_meta", {})}}
        return {"resultType": "complete", **result} if self.wire.result_type else result

    # --- progress and log --------------------------------------------------------------------------------------------

    def _progress_notification(self, event: Event) -> bytes | None:
        message = message_in(event.data)
        if message is None:
            is_content = bool(event.metadata) and decode(event.metadata).get("content") is True
            self._keep(event.data, is_content)
        if self.progress_token is None:
            return None
        progress = self._progress or self._begun(self.progress_token)
        if message is None:
            return progress.partial(_line(event.data, is_content), event.metadata, event.data)
        return progress.told(message, event.metadata)

    def _begun(self, token: str | int) -> Progress:
        self._progress = Progress(token, self.namespace)
        return self._progress

    def _log_notification(self, event: Event) -> bytes | None:
        line: dict[str, Any] = decode(event.data)
        if self.level is None or LEVELS.index(line["level"]) < LEVELS.index(self.level):
            return None
        data = line["message"] if "data" not in line else {"message": line["message"], "data": line["data"]}
        return jsonrpc.notification("notifications/message", encode({"level": line["level"], "data": data}))

    # --- the result --------------------------------------------------------------------------------------------------

    def _keep(self, data: bytes, is_content: bool) -> None:
        self._seen += 1
        if (
            len(self._kept) == self._seen - 1
            and len(self._kept) < MAX_ITEMS
            and self._kept_bytes + len(data) < MAX_BYTES
        ):
            self._kept.append((data, is_content))
            self._kept_bytes += len(data)

    def _input_required(self, event: Event) -> dict[str, Any]:
        """InputRequiredResult (2026-07-28, basic/patterns/mrtr): what is asked, and the state to come back with."""
        if self.seal is None:
            raise ValueError("a run that nobody can start again asked for input")
        required = decode(event.data)
        state = self.seal(required["state"])
        return self.typed(
            {"resultType": "input_required", "inputRequests": required["inputRequests"], "requestState": state}
        )

    def _scalar(self, event: Event) -> bytes | None:
        """The result of a tool that returned a text, a number, a boolean or nothing, and streamed no parts of it: most
        do, and what they returned is put between bytes as it is. None for all others, which `_result` makes the same.
        """
        value, metadata = event.data, event.metadata
        if value.startswith((b"{", b"[")) or self.raw is not None or self._seen or b'"items"' in metadata:
            return None
        type_ = b'"resultType":"complete",' if self.wire.result_type else b""
        text = value if value.startswith(b'"') else b'"%b"' % value
        structure = b""
        if self.has_output_schema and self.wire.structured:
            structure = b',"structuredContent":%b' % (value if self.wire.any_structure else b'{"result":%b}' % value)
        meta = b',"_meta":%b' % encode(self.meta) if self.meta else b""
        return b'{%b"content":[{"type":"text","text":%b}]%b%b}' % (type_, text, structure, meta)

    def _result(self, event: Event) -> dict[str, Any]:
        metadata: dict[str, Any] = decode(event.metadata) if event.metadata else {}
        value = decode(event.data)
        if self.raw is not None:
            return self.typed({**content.known(value, self.wire.lacking), **self.raw})
        partial = [decode(data) for data, _ in self._kept]
        result: dict[str, Any]
        if metadata.get("content"):
            result = {"content": value}
        elif "items" in metadata:
            blocks = (
                item if is_content else [_text(_as_text(item))]
                for item, (_, is_content) in zip(partial, self._kept, strict=True)
            )
            result = {"content": list(chain.from_iterable(blocks))}
        else:
            result = {"content": [_text(_as_text(value))]}
            if self.has_output_schema and self.wire.structured:
                plain = self.wire.any_structure or isinstance(value, dict)
                result["structuredContent"] = value if plain else {"result": value}
        meta: dict[str, Any] = {}
        if partial and "items" not in metadata:
            meta[f"{self.namespace}partial"] = partial
        if self._seen > len(self._kept):
            meta[f"{self.namespace}truncated"] = {"truncated": True, "items": self._seen}
        if meta:
            result["_meta"] = meta
        return self.typed(content.known(result, self.wire.lacking))


def _line(data: bytes, is_content: bool) -> str:
    """Data of a tool's own, for a person."""
    if is_content:
        return _named(decode(data))[:MESSAGE_CHARS]
    if data.startswith(b'"'):
        text: str = decode(data)
        return text[:MESSAGE_CHARS]
    return data[: 4 * MESSAGE_CHARS].decode(errors="ignore")[:MESSAGE_CHARS]  # a character has four bytes at most


def _named(blocks: list[dict[str, Any]]) -> str:
    """Content blocks as a line for a person: text as it is, of all else what it is."""
    return ", ".join(each.get("text") or each.get("mimeType") or each["type"] for each in blocks)


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else encode(value).decode()
