"""What a tool asks its caller in the middle of a call, and an answer as MCP has it. Nothing is sent here.

MCP 2026-07-28 and 2025-11-25: client/elicitation, client/sampling, client/roots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

Kind = Literal["form", "url", "sample", "roots"]

_MODEL = "a-client-under-test"
"""The name of the model in the answer to a sampling request that is a text alone."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `key` is the author's, or the id of the request in revisions with sessions."""

    key: str | int
    method: str
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> Kind | None:
        """What is asked for; None for what this client does not know."""
        if self.method == "elicitation/create":
            return "url" if self.params.get("mode") == "url" else "form"
        kinds: dict[str, Kind] = {"sampling/createMessage": "sample", "roots/list": "roots"}
        return kinds.get(self.method)

    @property
    def message(self) -> str:
        """What the user is shown with a form or a page."""
        return str(self.params.get("message", ""))

    @property
    def schema(self) -> Mapping[str, Any]:
        """The form's JSON Schema."""
        found = self.params.get("requestedSchema")
        return found if isinstance(found, Mapping) else {}

    @property
    def url(self) -> str:
        """The page that the user is to open."""
        return str(self.params.get("url", ""))

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        """What the client's model is given."""
        found = self.params.get("messages")
        return found if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class Refusal:
    """The user's no: "decline" was said, "cancel" is a form that was closed."""

    action: Literal["decline", "cancel"]


DECLINE = Refusal("decline")
CANCEL = Refusal("cancel")


def result_of(question: Question, answer: Any) -> dict[str, Any]:
    """The result to send for an answer. Raises TypeError for one that does not go with the question.

    form: a mapping, or a pydantic model. url: True. sample: a text, content blocks, or a whole CreateMessageResult.
    roots: a list of URIs, or of mappings. DECLINE and CANCEL for a form and a url.
    """
    kind = question.kind
    if isinstance(answer, Refusal) and kind in ("form", "url"):
        return {"action": answer.action}
    if kind == "form":
        if isinstance(answer, BaseModel):
            answer = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
        if isinstance(answer, Mapping):
            return {"action": "accept", "content": dict(answer)}
    elif kind == "url" and answer is True:
        return {"action": "accept"}
    elif kind == "sample" and isinstance(answer, str | Mapping | list):
        return _sampled(answer)
    elif kind == "roots" and isinstance(answer, list):
        return {"roots": [dict(each) if isinstance(each, Mapping) else {"uri": str(each)} for each in answer]}
    raise TypeError(f"{answer!r} does not answer {_described(question)}; {_EXPECTED.get(kind or '', 'nothing does')}")


def _sampled(answer: str | Mapping[str, Any] | list[Any]) -> dict[str, Any]:
    if isinstance(answer, Mapping) and "content" in answer:
        return {"role": "assistant", "model": _MODEL, **answer}
    content = {"type": "text", "text": answer} if isinstance(answer, str) else answer
    return {"role": "assistant", "model": _MODEL, "content": content, "stopReason": "endTurn"}


def _described(question: Question) -> str:
    names = ", ".join(map(repr, question.schema.get("properties", {})))
    return f"the {question.kind or question.method} {question.message!r}{f' with the fields {names}' if names else ''}"


_EXPECTED = {
    "form": "a mapping or a pydantic model of the form's fields does, DECLINE or CANCEL",
    "url": "True does, DECLINE or CANCEL",
    "sample": "a text does, a list of content blocks, or a mapping with `content`",
    "roots": "a list of URIs does",
}
