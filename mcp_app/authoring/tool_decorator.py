"""`@tool`: inspects a function, refuses what cannot be called, and makes a `Tool` of the rest.

There is no global registry: the decorator returns a value, which a server adds to its own.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, overload

from pydantic import BaseModel

from ..protocol.errors import ToolDefinitionError
from .at_once import at_once_of
from .callables import checked_name
from .docstrings import Docstring
from .kind import Kind
from .metadata import Icon, Metadata
from .permitted import scopes_of
from .placement import Placement, origin_of
from .signature_of import signature_of
from .source import Scope, check_sendable, docstring, title_of
from .tool import P, R, Tool
from .tool_options import (
    Interrupted,
    TaskUse,
    check_content,
    check_options,
    check_query,
    mirrors,
    restarts,
    structure,
)


@overload
def tool(function: Callable[P, R], /) -> Tool[P, R]: ...
@overload
def tool(
    *,
    name: str | None = None,
    title: str | None = None,
    description: str | None = None,
    read_only: bool = False,
    destructive: bool = True,
    idempotent: bool = False,
    open_world: bool = True,
    icons: Iterable[Icon] = (),
    meta: Mapping[str, Any] | None = None,
    tags: Iterable[str] = (),
    scopes: Iterable[str] = (),
    hidden: bool = False,
    time_limit: float | None = None,
    at_once: int | None = None,
    per: str | None = None,
    waiting: int | None = None,
    once: bool = False,
    strict: bool = False,
    task: TaskUse | None = None,
    interrupted: Interrupted = "end",
    placement: Placement | None = None,
    parameters: type[BaseModel] | None = None,
    input_schema: Mapping[str, Any] | None = None,
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...
def tool(function: Callable[..., Any] | None = None, /, **options: Any) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a typed function: a coroutine, an async generator, a plain function or a generator.

    name: the name in calls; the function's name by default.
    title: for people; derived from the name by default.
    description: for people and models; the docstring by default.
    read_only: it has no side effects, so it may be started by GET (RFC 9110, 9.2.1).
    destructive, idempotent: hints for callers about the side effects of a tool that is not read-only.
    open_world: a hint that it may deal with whatever is outside: a web search does, a calculator does not.
    icons, meta, tags: for clients: pictures, further members of `_meta`, and words to sort tools by.
    scopes: what a caller needs to call it, all of them, as in ["mail.send"]. Where callers are not asked who they are,
        they have whatever there is.
    hidden: it is in no list, and called by who knows its name.
    time_limit: seconds after which a call is ended; the server's cap still applies.
    at_once: how many calls of it work at once; those behind them wait, first come, first served.
    per: the parameter of which each value has such a queue of its own.
    waiting: how many calls may wait in one queue; beyond them a call is refused with `queue_full`. 100 by default.
    once: a call that asked its user something does not run twice with the same answers.
    strict: arguments of a wrong type are refused; by default they are repaired where only one thing can be meant: "5"
        for an integer, null for what has a default.
    task: whether a call from an MCP client that supports tasks becomes one: "never"; "may", if it does not complete
        immediately; "must", and then other MCP clients of 2026-07-28 cannot call the tool. By default it is streamed
        like any other call, and becomes a task shortly before the cap. All other clients make an ordinary call.
    interrupted: what becomes of a call whose process is gone, where processes share a log and its caller may come back:
        "end", by default; or "restart", for idempotent tools only: another process works on it from its beginning, with
        the same arguments, the answers that it had and the values of `ctx.once`.
    placement: "process" for work that computes: it is done in a process of its own, which imports the module again.
    parameters: a pydantic model of all parameters, for validation across them; the function takes one instance of it.
    input_schema: a JSON Schema that is listed verbatim. Calls are still validated by the types: the author must keep
        both consistent.

    Raises ToolDefinitionError naming the function, the parameter and what to do.
    """
    frame = sys._getframe(1)
    scope = Scope(frame.f_locals, frame.f_globals)
    if function is not None:
        if options:
            listed = ", ".join(f"{option}=…" for option in options)
            raise ToolDefinitionError(f"tool takes a function or options. With both, write tool({listed})(function).")
        return _make(function, scope)
    for option in options.keys() - _OPTIONS:
        similar = get_close_matches(option, _OPTIONS, n=1)
        meant = f" Did you mean {similar[0]}?" if similar else f" There are {', '.join(sorted(_OPTIONS))}."
        raise ToolDefinitionError(f"@tool has no option {option}.{meant}")
    return lambda decorated: _make(decorated, scope, **options)


def _make(
    function: Callable[..., Any],
    scope: Scope,
    *,
    name: str | None = None,
    title: str | None = None,
    description: str | None = None,
    read_only: bool = False,
    destructive: bool = True,
    idempotent: bool = False,
    open_world: bool = True,
    icons: Iterable[Icon] = (),
    meta: Mapping[str, Any] | None = None,
    tags: Iterable[str] = (),
    scopes: Iterable[str] = (),
    hidden: bool = False,
    time_limit: float | None = None,
    at_once: int | None = None,
    per: str | None = None,
    waiting: int | None = None,
    once: bool = False,
    strict: bool = False,
    task: TaskUse | None = None,
    interrupted: Interrupted = "end",
    placement: Placement | None = None,
    parameters: type[BaseModel] | None = None,
    input_schema: Mapping[str, Any] | None = None,
) -> Tool:
    name = checked_name(function, "tool", name or None)
    check_options(name, time_limit, task)
    documented = Docstring(docstring(function))
    kind = Kind.of(function)
    signature = signature_of(
        function,
        scope.of(function),
        documented.parameters,
        kind=kind,
        parameters_model=parameters,
        custom_schema=input_schema,
    )
    check_content(name, signature.beside_content)
    if read_only:
        check_query(name, signature.input_schema)
    title = title or title_of(name)
    description = description if description is not None else documented.description(signature.documented)
    properties = signature.input_schema.get("properties", {})
    listed = {
        "title": title,
        "description": description,
        **{f"parameter {each}": properties[each] for each in properties},
    }
    check_sendable(name, {**listed, "output schema": dict(signature.output_schema or {})})
    return Tool(
        name=name,
        title=title,
        description=description,
        function=function,
        kind=kind,
        signature=signature,
        input_schema=signature.input_schema,
        output_schema=signature.output_schema,
        structure=structure(signature.output_schema),
        read_only=read_only,
        destructive=destructive and not read_only,
        idempotent=idempotent or read_only,
        open_world=open_world,
        metadata=Metadata.of(name, icons, meta, tags),
        time_limit=time_limit,
        at_once=at_once_of(name, at_once, per, waiting, signature),
        once=once,
        strict=strict,
        task=task,
        restarts=restarts(name, interrupted, idempotent=idempotent or read_only),
        scopes=scopes_of(name, scopes),
        hidden=hidden,
        mirrors=mirrors(name, signature.input_schema),
        context=signature.context,
        plan=signature.plan,
        origin=origin_of(name, placement, function, scope.module, signature.input_schema, signature.output_schema),
    )


_OPTIONS = frozenset(inspect.signature(_make).parameters) - {"function", "scope"}
