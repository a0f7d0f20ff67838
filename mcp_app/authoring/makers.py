"""Reads `Shared` and `Depends` out of a signature, and what their makers need, into a `Plan`: once, at definition.

No maker is called here: runs/ does that.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from ..protocol.errors import ToolDefinitionError
from .callables import check_maker, is_context_manager
from .dependencies import Depends, Maker, Marker, Plan, Shared, key_of
from .hints import resolved
from .kind import Kind
from .markers import check_default, marker_of
from .parameters import is_context
from .return_annotation import bare
from .source import globals_of, wrapped

_UNFILLED = frozenset({inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD})


def plan_of(
    function: Callable[..., Any],
    name: str,
    markers: Mapping[str, Marker],
    annotations: Mapping[str, Any],
    scope: Mapping[str, Any],
    *,
    is_run: bool = True,
) -> Plan | None:
    """The plan for a function whose parameters `markers` are made; None if there are none.

    `annotations` are those of its parameters. `scope` are the names around its decorator, for makers of the same
    module. `is_run`: whether a call of it has a `Context`.

    Raises ToolDefinitionError, naming the maker, its file and line, and what to do.
    """
    if not markers:
        return None
    parameters = {parameter: each for parameter, each in annotations.items() if parameter not in markers}
    module = globals_of(function)
    reader = _Reader(name, parameters, frozenset(markers), scope, module, is_run=is_run)
    arguments = tuple((parameter, reader.maker(marker, parameter)) for parameter, marker in markers.items())
    made = reader.made.values()
    return Plan(arguments, tuple(each for each in made if not each.shared), tuple(each for each in made if each.shared))


class _Reader:
    """Reads the makers of one function, each once."""

    def __init__(
        self,
        name: str,
        parameters: Mapping[str, Any],
        made_for: frozenset[str],
        scope: Mapping[str, Any],
        module: Mapping[str, Any],
        *,
        is_run: bool,
    ) -> None:
        self._name = name
        self._called = name.rpartition(".")[2]
        self._parameters = parameters
        self._made_for = made_for
        self._scope = scope
        self._module = module
        self._is_run = is_run
        self._path: list[tuple[Hashable, str]] = []
        self.made: dict[Hashable, Maker] = {}
        """In an order in which each stands behind those that it needs."""

    def maker(self, marker: Marker, parameter: str) -> Maker:
        shared = isinstance(marker, Shared)
        key = (shared, key_of(marker.make))
        if key in self.made:
            return self.made[key]
        where = place(marker.make)
        names = [each for _, each in self._path]
        if key in [each for each, _ in self._path]:
            raise ToolDefinitionError(
                f"{self._name}: {' needs '.join([*names, where])}: a circle, of which none can be made first. Let one "
                "of them do without another."
            )
        function = undecorated(marker.make)
        check_maker(function, f"{self._name}: the maker of its parameter {parameter}, {where}")
        self._path.append((key, where))
        fields = self._fields(function, where, shared=shared)
        self._path.pop()
        self.made[key] = Maker(
            function=function,
            kind=Kind.FUNCTION if isinstance(function, type) else Kind.of(function),
            where=where,
            shared=shared,
            key=key[1],
            **fields,
        )
        return self.made[key]

    def _fields(self, function: Callable[..., Any], where: str, *, shared: bool) -> dict[str, Any]:
        context: list[str] = []
        same: list[str] = []
        makers: dict[str, Maker] = {}
        parameters = self._signature(function, where)
        for parameter in parameters.values():
            if parameter.kind in _UNFILLED:
                continue
            check_default(parameter, where)
            annotation = self._annotation(function, parameter, where)
            marker = None if annotation is None else marker_of(annotation, parameter.name, where)
            if marker is not None:
                if shared and isinstance(marker, Depends):
                    raise self._wrong(where, parameter, "is of one call, and it is made before any. Make it Shared.")
                makers[parameter.name] = self.maker(marker, parameter.name)
            elif annotation is not None and is_context(annotation, parameter.name, where):
                if shared or not self._is_run:
                    why = "it is made before any call" if shared else "a completion has none"
                    raise self._wrong(where, parameter, f"is the Context of a call, and {why}. Leave it out.")
                context.append(parameter.name)
            elif not shared and parameter.name in self._parameters:
                self._check_same(where, parameter, annotation)
                same.append(parameter.name)
            elif parameter.default is parameter.empty:
                raise self._nothing(where, parameter, annotation, shared=shared)
        for name in (*context, *same, *makers):
            parameter = parameters[name]
            if parameter.kind is parameter.POSITIONAL_ONLY:
                raise self._wrong(where, parameter, "cannot be filled by name. Write it without the `/` behind it.")
        below = frozenset[Hashable]().union(*({each.key, *each.below} for each in makers.values()))
        return {
            "context": tuple(context),
            "parameters": tuple(same),
            "makers": tuple(makers.items()),
            "below": below,
        }

    def _signature(self, function: Callable[..., Any], where: str) -> Mapping[str, inspect.Parameter]:
        try:
            return inspect.signature(function).parameters
        except ValueError as error:
            raise ToolDefinitionError(
                f"{self._name}: the parameters of {where} are not known. Write a function that calls it."
            ) from error

    def _annotation(self, function: Callable[..., Any], parameter: inspect.Parameter, where: str) -> Any:
        """None where there is none."""
        if parameter.annotation is parameter.empty:
            return None
        module = _globals(function)
        scope = self._scope if module is self._module else {}
        return resolved(parameter.annotation, module, scope, where, f"that of the parameter {parameter.name}")

    def _check_same(self, where: str, parameter: inspect.Parameter, annotation: Any) -> None:
        expected = bare(self._parameters[parameter.name])
        if annotation is None:
            raise self._wrong(where, parameter, f"has no annotation. Write its type, {_shown(expected)}.")
        if bare(annotation) != expected:
            raise self._wrong(
                where,
                parameter,
                f"is {_shown(bare(annotation))}, and that of {self._called} with this name is {_shown(expected)}. Give "
                "both the same type, or this one another name.",
            )

    def _nothing(
        self, where: str, parameter: inspect.Parameter, annotation: Any, *, shared: bool
    ) -> ToolDefinitionError:
        if parameter.name in self._made_for:
            advice = f"Annotate it as in {self._called}: `{parameter.name}: Annotated[…]`"
        elif shared:
            advice = "What a Shared needs is another Shared, `Annotated[the type, Shared(make)]`, or has a default"
        elif annotation is None:
            advice = "Write its annotation: Context, or `Annotated[the type, Depends(take)]`"
        else:
            advice = (
                f"It is a Context, another Depends or Shared, or a parameter of {self._called} with the same name and "
                f"type{self._offered()}"
            )
        return self._wrong(where, parameter, f"is nobody's to fill. {advice}.")

    def _offered(self) -> str:
        return f": {', '.join(self._parameters)}" if self._parameters else ", which has none"

    def _wrong(self, where: str, parameter: inspect.Parameter, what: str) -> ToolDefinitionError:
        return ToolDefinitionError(f"{self._name}: the parameter {parameter.name} of its maker {where} {what}")


def undecorated(make: Callable[..., Any]) -> Callable[..., Any]:
    """The generator function in a `@contextmanager` or `@asynccontextmanager`, which is as good a maker."""
    if isinstance(make, functools.partial):
        inner = undecorated(make.func)
        return make if inner is make.func else functools.partial(inner, *make.args, **make.keywords)
    if isinstance(make, types.MethodType):
        inner = undecorated(make.__func__)
        return make if inner is make.__func__ else types.MethodType(inner, make.__self__)
    return typing.cast("Callable[..., Any]", make.__wrapped__) if is_context_manager(make) else make  # type: ignore[attr-defined]


def place(make: Callable[..., Any]) -> str:
    """The name of a maker with its file and line, as messages and the log have it."""
    function = undecorated(make)
    while isinstance(function, functools.partial):
        function = function.func
    found = inspect.unwrap(function if isinstance(function, type) else wrapped(function))
    name = getattr(function, "__qualname__", None) or f"{type(function).__qualname__}.__call__"
    code = getattr(vars(found).get("__init__") if isinstance(found, type) else found, "__code__", None)
    if code is None:
        return f"{name} ({getattr(function, '__module__', None) or type(function).__module__})"
    return f"{name} ({code.co_filename}:{code.co_firstlineno})"


def _globals(make: Callable[..., Any]) -> dict[str, Any]:
    """The names that the annotations of its parameters are looked up in."""
    while isinstance(make, functools.partial):
        make = make.func
    found = globals_of(getattr(make, "__init__", make) if isinstance(make, type) else make)
    return found or vars(sys.modules.get(getattr(make, "__module__", None) or "", types.ModuleType("")))


def _shown(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
