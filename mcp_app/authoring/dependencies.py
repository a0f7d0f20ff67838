"""`Shared` and `Depends`: markers for what a function needs and no caller sends; `override` for tests.

Only what an author writes is here, and what stands for it: makers.py reads it, runs/ calls the makers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, NamedTuple, TypeVar

from ..protocol.errors import ToolDefinitionError
from .kind import Kind

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shared:
    """What all calls of a process share: `pool: Annotated[Pool, Shared(make_pool)]`.

    It is made when the application starts, if anything that is offered needs it, and closed after the last call has
    ended. `make` is a function, a coroutine function, or a generator of either kind, which yields the value once: what
    follows the `yield` closes it. Its parameters are other `Shared`.

    Raises ToolDefinitionError for what cannot be called.
    """

    make: Callable[..., Any]

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, slots=True)
class Depends:
    """What one call has for itself: `conn: Annotated[Conn, Depends(take)]`.

    It is made before the function works, once a call, and closed when the call is over, however that ended: after its
    result was sent. `make` is as for `Shared`. Its parameters are other `Depends` and `Shared`, the call's `Context`,
    and parameters of the function, of the same name and type.

    Raises ToolDefinitionError for what cannot be called.
    """

    make: Callable[..., Any]

    def __post_init__(self) -> None:
        _check(self)


Marker = Shared | Depends


def _check(marker: Marker) -> None:
    kind = type(marker).__name__
    if isinstance(marker.make, Shared | Depends):
        raise ToolDefinitionError(f"{kind}({marker.make!r}) is one too many: write the function itself.")
    if not callable(marker.make):
        raise ToolDefinitionError(
            f"{kind}({marker.make!r}): a {type(marker.make).__name__} cannot be called. Write the function that makes "
            f"the value, without calling it: {kind}(make), not {kind}(make())."
        )


def key_of(make: Callable[..., Any]) -> Hashable:
    """What tells a maker from others: a method of the same object is the same each time that it is looked up."""
    try:
        hash(make)
    except TypeError:
        return ("id", id(make))
    return make


@dataclass(frozen=True, slots=True, eq=False)
class Maker:
    """A function that makes a value, and what fills its parameters. `where` is its name, file and line.

    `key` is what `override`, and what all calls share, know it by.
    `context` and `parameters` are its parameters that take the call's `Context`, and the argument of the same name.
    `makers` are the others that it needs, by parameter, and `below` the keys of these and of theirs.
    """

    function: Callable[..., Any]
    kind: Kind
    where: str
    shared: bool
    key: Hashable
    context: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    makers: tuple[tuple[str, Maker], ...] = field(default=(), repr=False)
    below: frozenset[Hashable] = field(default=frozenset(), repr=False)

    @property
    def name(self) -> str:
        """Without its file, for callers."""
        return self.where.partition(" (")[0]

    @property
    def plain(self) -> bool:
        """Whether it works in a thread."""
        return self.kind in {Kind.FUNCTION, Kind.GENERATOR}


class Plan(NamedTuple):
    """What one function needs: made once, when it is defined.

    `arguments` are its parameters that are made, with their makers. `makers` are all of a call, each after those that
    it needs, and `shared` all of the process, likewise.
    """

    arguments: tuple[tuple[str, Maker], ...]
    makers: tuple[Maker, ...]
    shared: tuple[Maker, ...]

    def needed(self) -> tuple[tuple[Maker, ...], dict[Maker, Any]]:
        """(The makers to call, each after those that it needs; the values of those that are overridden.)

        What only an overridden maker needs is not made.
        """
        if not OVERRIDES:
            return (*self.shared, *self.makers), {}
        found: dict[Maker, None] = {}
        given: dict[Maker, Any] = {}

        def walk(maker: Maker) -> None:
            if maker in found or maker in given:
                return
            if (instead := overridden(maker)) is not None:
                given[maker] = instead.value
                return
            for _, each in maker.makers:
                walk(each)
            found[maker] = None

        for _, maker in self.arguments:
            walk(maker)
        return tuple(found), given


class Override(Generic[T]):
    """One `with override(make, value)`."""

    __slots__ = ("_key", "value")

    def __init__(self, key: Hashable, value: T) -> None:
        self._key = key
        self.value = value

    def __enter__(self) -> T:
        with _LOCK:
            OVERRIDES[self._key] = (*OVERRIDES.get(self._key, ()), self)
        return self.value

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with _LOCK:
            active = OVERRIDES[self._key]
            innermost = max(at for at, each in enumerate(active) if each is self)  # it may be entered within itself
            if left := active[:innermost] + active[innermost + 1 :]:
                OVERRIDES[self._key] = left
            else:
                del OVERRIDES[self._key]


OVERRIDES: dict[Hashable, tuple[Override[Any], ...]] = {}
"""By the function whose value they replace; the last counts. Of the process: tools work in other tasks and threads than
the test which overrides."""

_LOCK = threading.Lock()


def override(make: Callable[..., Any], value: T) -> Override[T]:
    """`with override(make_pool, FakePool()) as pool:` in a test: whatever `make_pool` makes is `value` meanwhile.

    It holds for every call that begins in the block, in the whole process: in any task and thread, for `Shared` and
    `Depends`, and for what was made already. `make_pool` is not called, nor what only it needs. What needs it is made
    anew. `value` may be anything and is not closed. Overrides may be nested: the inner one counts.

    Raises TypeError for a `make` that cannot be called, and for the `Shared` or `Depends` instead of its function.
    """
    if isinstance(make, Shared | Depends) or not callable(make):
        raise TypeError(f"{make!r} makes nothing: write the function, as in override(make_pool, FakePool())")
    return Override(key_of(make), value)


def overridden(maker: Maker) -> Override[Any] | None:
    """What stands in the place of its value; None if nothing does."""
    found = OVERRIDES.get(maker.key)
    return found[-1] if found else None


def overrides_below(maker: Maker) -> tuple[Override[Any], ...]:
    """Those that its value is made with: values that were made with others are others."""
    if not OVERRIDES:
        return ()
    active = tuple(OVERRIDES.items())  # a copy: another thread may end one meanwhile
    return tuple(each[-1] for key, each in active if key in maker.below)
