"""The requests to a client, and what counts as an answer to each. How they reach the client is not known here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from ..protocol.asking import Declined, NoAnswer
from ..protocol.errors import McpAppError
from ..protocol.event import Event, encode, number
from ..protocol.mcp import answers
from .form import requested_schema
from .once import Once
from .tool_results import check_balance
from .visits import Visit

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

TRIES = 3
"""Times that a question is asked whose answers are invalid: a person mistypes a form once or twice, a client that
ignores the schema does so every time."""

ELICITATION = "elicitation/create"
SAMPLING = "sampling/createMessage"
ROOTS = "roots/list"


@dataclass(frozen=True, slots=True)
class Ask(Generic[T]):
    """One request to a client: `ElicitRequest`, `CreateMessageRequest` or `ListRootsRequest`.

    `needs` are the capabilities that the client must have declared, in the shape of ClientCapabilities. `read` converts
    the client's result to the answer; it raises ValueError for an invalid result, and `Declined`. It is awaited, as
    what a tool in another process asked is read there. `visit` is set for a page whose completion the author reports:
    the asker waits for it after the answer.
    """

    method: str
    params: Mapping[str, Any]
    needs: Mapping[str, Any]
    read: Callable[[Mapping[str, Any]], Awaitable[T]] = field(repr=False, compare=False)
    visit: Visit | None = field(default=None, repr=False, compare=False)

    @property
    def digest(self) -> str:
        """Identifies the request: an answer to a form that has changed in the meantime does not count."""
        text = json.dumps([self.method, self.params], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class InputRequired:
    """The end of a run that the client is to retry with answers: the requests by key, and the state for the retry."""

    code: ClassVar[str] = "input_required"
    requests: Mapping[str, Any]
    state: Mapping[str, Any]


Emit = Callable[[Sequence[Event]], Awaitable[None]]
End = Callable[[InputRequired | McpAppError], None]


class Asker(Protocol):
    """Sends the questions of one run to its caller."""

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """ClientCapabilities, as the client declared them."""

    @property
    def polled(self) -> bool:
        """Whether the caller polls: its stream may end before the response, and it reconnects for the rest."""

    @property
    def once(self) -> Once:
        """The values of `ctx.once`, from earlier rounds of this call and from this one."""

    def attach(self, emit: Emit, end: End) -> None:
        """Called when the run starts: `emit` appends to its log, `end` ends it and cancels its tool."""

    async def ask(self, ask: Ask[T], key: str) -> T:
        """Send the request and return the answer. `key` is unique within the run."""


class NullAsker:
    """The asker of callers that cannot be asked. It has no capabilities, so `ask` is never reached."""

    __slots__ = ("once",)

    capabilities: Mapping[str, Any] = MappingProxyType({})
    polled = False

    def __init__(self, known: dict[str, Any] | None = None) -> None:
        self.once = Once({} if known is None else known)

    def attach(self, emit: Emit, end: End) -> None:
        """Does nothing: no question is ever sent."""

    async def ask(self, ask: Ask[T], key: str) -> T:
        raise AssertionError(f"{ask.method} needs no capability")


def declared(needs: Mapping[str, Any], capabilities: Mapping[str, Any]) -> bool:
    """Whether `capabilities` contains everything in `needs`.

    `elicitation` without a mode means forms (2026-07-28, Elicitation, Capabilities).
    """
    for name, inner in needs.items():
        value = capabilities.get(name)
        if not isinstance(value, Mapping):
            return False
        if name == "elicitation" and not value:
            value = {"form": {}}
        if not declared(inner, value):
            return False
    return True


URL: Mapping[str, Any] = {"elicitation": {"url": {}}}
"""The capability of clients that open pages."""


# --- elicitation -----------------------------------------------------------------------------------------------------


def form(model: type[M], message: str) -> Ask[M]:
    """Ask the user to fill in a form. Raises ToolDefinitionError for a model that no form can show."""
    # No `mode`, which 2025-06-18 does not know: without it, every revision understands a form.
    params = {"message": message, "requestedSchema": requested_schema(model)}

    async def read(result: Mapping[str, Any]) -> M:
        content = _accepted(result, message).get("content")
        if not isinstance(content, Mapping):
            raise ValueError("an accepted form has no content")  # noqa: TRY004 - it is the client's mistake
        values = {name: _normalized(value) for name, value in content.items() if value is not None}
        return model.model_validate_json(encode(values), strict=True)

    return Ask(ELICITATION, params, {"elicitation": {"form": {}}}, read)


def url(address: str, message: str, visit: Visit | None = None) -> Ask[None]:
    """Ask the user to open a page. Raises ValueError unless `address` is an http or https URL with a host."""
    parts = urlsplit(address)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise ValueError(f"{address[:100]!r} is no https URL")

    async def read(result: Mapping[str, Any]) -> None:
        _accepted(result, message)

    params = {"mode": "url", "message": message, "url": address}
    return Ask(ELICITATION, params, URL, read, visit)


def _accepted(result: Mapping[str, Any], message: str) -> Mapping[str, Any]:
    action = result.get("action")
    if action == "decline":
        raise Declined("decline", f"The user declined: {message}")
    if action == "cancel":
        raise Declined("cancel", f"The user closed the question without an answer: {message}")
    if action != "accept":
        raise ValueError("the answer has no action")
    return result


def _normalized(value: Any) -> Any:
    """Integral floats as integers: some clients (JavaScript, or float arithmetic) send 30.0 for an integer field."""
    return number(value) if isinstance(value, float) else value


# --- sampling --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sample:
    """The answer of the client's model. `content` is MCP content blocks; `text` joins those of type text."""

    role: str
    content: Sequence[Mapping[str, Any]]
    model: str
    stop_reason: str | None = None

    @property
    def text(self) -> str:
        return "\n".join(block["text"] for block in self.content if block.get("type") == "text")


def sampling(messages: Any, options: Mapping[str, Any]) -> Ask[Sample]:
    """Ask the client's model. `messages` are text, `Message`s or SamplingMessages; `options` are further parameters.

    Raises ValueError for invalid messages, and for parameters that MCP does not define.
    """
    present = {name: value for name, value in options.items() if value is not None}
    inner: dict[str, Any] = {"tools": {}} if "tools" in present or "toolChoice" in present else {}
    if present.get("includeContext", "none") != "none":  # 2026-07-28, client/sampling: needs its own capability
        inner["context"] = {}
    params = {"messages": _messages(messages), **present}
    answers.sampling_params().validate_python(params)  # raises ValidationError, a ValueError
    check_balance(params["messages"])
    return Ask(SAMPLING, params, {"sampling": inner}, _sample)


def _messages(messages: Any) -> list[dict[str, Any]]:
    if isinstance(messages, str):
        return [{"role": "user", "content": {"type": "text", "text": messages}}]
    items = messages if isinstance(messages, list | tuple) else [messages]
    found: list[dict[str, Any]] = []
    for item in items:
        if isinstance(item, str):
            found += _messages(item)
        elif isinstance(item, Mapping):
            found.append(dict(item))
        elif hasattr(item, "wire"):  # a prompt's Message: one SamplingMessage for each piece of its content
            found += item.wire()
        else:
            raise ValueError(f"{type(item).__name__} is no message: give str, Message or a dict of role and content")
    if not found:
        raise ValueError("there is no message to sample from")
    return found


async def _sample(result: Mapping[str, Any]) -> Sample:
    answers.sampling_result().validate_python(result)  # raises ValidationError, a ValueError
    content = result["content"]
    blocks = content if isinstance(content, list) else [content]
    return Sample(result["role"], tuple(blocks), result["model"], result.get("stopReason"))


# --- roots -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Root:
    """A directory or file that the client considers relevant: a file URI and an optional display name."""

    uri: str
    name: str | None = None


def roots() -> Ask[list[Root]]:
    """Ask for the client's roots."""
    return Ask(ROOTS, {}, {"roots": {}}, _roots)


async def _roots(result: Mapping[str, Any]) -> list[Root]:
    listed = answers.roots_result().validate_python(result)
    return [Root(str(root["uri"]), root.get("name")) for root in listed["roots"]]


def misfit(wrong: str) -> NoAnswer:
    """The end of a question that was answered TRIES times with what does not fit; `wrong` is the last problem."""
    return NoAnswer(
        f"The client's answer is not what was asked for: {wrong}",
        hint="Call again to be asked again, and give an answer that fits: the message says what does not.",
    )


def problem(error: ValueError) -> str:
    """What is wrong with an answer, in one line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'the answer'}: {first['msg']}"
    return str(error)
