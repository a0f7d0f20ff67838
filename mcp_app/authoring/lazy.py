"""Finds what does its work only when it is read (generators, `map`, open files), and reads it within bounds.

pydantic reads it while it encodes or validates: on the event loop, to an end that may not come, and not to be
interrupted. So it is found before. What is encoded, and which error a caller sees, is not decided here.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections import UserList, deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sized, ValuesView
from ipaddress import IPv4Network, IPv6Network
from itertools import chain
from typing import Any, cast

from pydantic_core import PydanticSerializationError, to_json

from ..protocol.errors import EventTooLarge
from ..protocol.event import NotJson
from ..protocol.linked import MAX_RESULT_BYTES
from .schema_walk import Schema, anywhere

_DEPTH = 256
"""Levels that are looked into: pydantic refuses more, and a value that holds itself has no end of them."""

ATOMS = frozenset([str, int, float, bool, bytes, type(None)])
"""The types of what nothing is in."""

_SERIALIZER = "__pydantic_serializer__"
_CORE_SCHEMA = "__pydantic_core_schema__"

Open = Callable[[Any], Collection[Any]]


def lazy(value: Any) -> type | None:
    """The type of what is lazy in the value: itself, or anywhere within what pydantic opens; None if nothing is.

    That is an iterator, or what can be iterated and has no length, as a cursor of a database. Nothing is read but what
    a model computes: its serializers and computed fields. Raises EventTooLarge for a range that is.
    """
    if type(value) in ATOMS:
        return None
    kinds: set[Any] = {type(value)}
    level: Collection[Any] = [value]
    for _ in range(_DEPTH):  # a level in one go, at C's speed: most containers have nothing but atoms
        opened: list[Collection[Any]] = []
        for kind in kinds:
            if _is_lazy(kind):
                return cast(type, kind)
            open_ = _opening(kind)
            if open_ is not None:
                # By identity: with one list in another twice, that in a third, … each level would be twice as long.
                same = level if len(level) == 1 else {id(each): each for each in level if type(each) is kind}.values()
                opened += map(open_, same)
        level = opened[0] if len(opened) == 1 else list(chain.from_iterable(opened))
        kinds = set(map(type, level)) - ATOMS
        if not kinds:
            return None
    return None


def eager(value: Any) -> Any:
    """The value. On the event loop. Raises NotJson if something in it is lazy."""
    kind = lazy(value)
    if kind is not None:
        raise NotJson(f"a {kind.__name__} would work on the event loop: send a list")
    return value


def read(value: Any, stopped: Callable[[], bool]) -> Any:
    """The value with a list for each lazy value that is it, or is within its dicts, lists and tuples. In a thread.

    Raises EventTooLarge where one has more than a result may have, CancelledError when it is `stopped`, and NotJson
    for one elsewhere, as in a model or a set.
    """
    return value if type(value) in ATOMS or lazy(value) is None else _read(value, stopped, _DEPTH)


def _read(value: Any, stopped: Callable[[], bool], depth: int) -> Any:
    kind: Any = type(value)
    if kind in ATOMS or not depth:
        return value
    if kind is dict:
        return {name: _read(each, stopped, depth - 1) for name, each in value.items()}
    if kind is list or kind is tuple:
        return kind(_read(each, stopped, depth - 1) for each in value)
    if _is_lazy(kind) and not issubclass(kind, AsyncIterator):
        return _items(value, stopped, depth)
    found = lazy(value)
    if found is not None:
        raise NotJson(f"a {found.__name__} in a {kind.__name__}, where nothing bounds it: make a list of it")
    return value


def _items(iterable: Iterable[Any], stopped: Callable[[], bool], depth: int) -> list[Any]:
    items, size = [], 0
    for each in iterable:
        if stopped():
            raise asyncio.CancelledError("the run was ended")
        item = _read(each, stopped, depth - 1)
        items.append(item)
        size += 1 + _size(item)
        if size > MAX_RESULT_BYTES:
            raise EventTooLarge(
                f"A {type(iterable).__name__} gave more than the {MAX_RESULT_BYTES} bytes that a result may have."
            )
    return items


def _size(item: Any) -> int:
    try:
        return len(to_json(item, inf_nan_mode="null"))
    except (PydanticSerializationError, UnicodeError, RecursionError):
        return 1  # what is wrong with it is said when all of it is encoded


@functools.lru_cache(maxsize=1024)
def _is_lazy(kind: type) -> bool:
    if issubclass(kind, Iterator | AsyncIterator):
        return True
    # What pydantic writes in another way than by iterating.
    known = any(hasattr(kind, each) for each in (_SERIALIZER, "__get_pydantic_core_schema__", "__dataclass_fields__"))
    return issubclass(kind, Iterable) and not (known or issubclass(kind, Sized | IPv4Network | IPv6Network))


@functools.lru_cache(maxsize=1024)
def _opening(kind: type) -> Open | None:
    """What gives the values within one of that type; None for a type that has none."""
    if issubclass(kind, dict):
        return dict.values
    if issubclass(kind, list | tuple | set | frozenset | deque | UserList | ValuesView):
        return _itself
    if issubclass(kind, Mapping):
        return _values
    if kind is range:
        return _numbers
    schema = vars(kind).get(_CORE_SCHEMA)
    if schema is not None and (not isinstance(schema, dict) or anywhere(schema, _computes)):
        return _dumped
    if dataclasses.is_dataclass(kind):
        return _fields
    return None if schema is None else _attributes(kind)


def _computes(schema: Schema) -> bool:
    """Whether what is sent of a model is other than what its fields hold."""
    return any(schema.get(each) for each in ("serialization", "computed_fields", "serialization_exclude"))


def _itself(container: Collection[Any]) -> Collection[Any]:
    return container


def _values(mapping: Mapping[Any, Any]) -> list[Any]:
    return list(mapping.values())


def _numbers(numbers: range) -> tuple[()]:
    if numbers[MAX_RESULT_BYTES // 2 :]:  # each takes a digit and a comma; it may be too long for len()
        raise EventTooLarge(f"{numbers!r} is more than the {MAX_RESULT_BYTES} bytes that a result may have.")
    return ()


def _fields(instance: Any) -> list[Any]:
    return [getattr(instance, each.name, None) for each in dataclasses.fields(instance)]


def _attributes(kind: type) -> Open:
    names = tuple(cast(Any, kind).__pydantic_fields__)  # not all of its __dict__: what it caches there is not sent

    def attributes(model: Any) -> list[Any]:
        values = list(map(model.__dict__.get, names))
        extra = model.__pydantic_extra__
        return [*values, *extra.values()] if extra else values

    return attributes


def _dumped(model: Any) -> list[Any]:
    try:  # what is lazy stays so: pydantic gives an iterator for it
        return [model.__pydantic_serializer__.to_python(model, warnings=False)]
    except Exception:  # a serializer of an author's; it raises again when the model is encoded, and is told then
        return []
