"""One value that a maker made, and its end: on the loop, or in one thread.

Who needs it, when, and how long that may take is not known here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from typing import Any

from ..authoring.dependencies import Maker
from ..authoring.kind import Kind
from .kept_thread import KeptThread

InThread = Callable[[Callable[[], Any]], Any]


class MakerFailed(RuntimeError):
    """A maker is no maker: it yields nothing, or twice, or makes what is still to be awaited."""


class Made:
    """`take` makes it, `close` ends it: both on the loop in one task, or for a plain maker in one `thread`."""

    __slots__ = ("_generator", "_thread", "maker")

    def __init__(self, maker: Maker, thread: KeptThread | None) -> None:
        self.maker = maker
        self._thread = thread
        self._generator: AsyncGenerator[Any, None] | Generator[Any, None, None] | None = None

    @property
    def open(self) -> bool:
        """Whether there is something to close. Of a take in a thread that was given up it is not known."""
        return self._generator is not None

    @property
    def in_thread(self) -> bool:
        """Whether it is closed in the thread it was taken in."""
        return self._thread is not None

    async def take(self, arguments: Mapping[str, Any], in_thread: InThread | None = None) -> Any:
        """The value. `in_thread` calls a function in the thread, where that is to be done by another than `submit`.

        Raises whatever the maker raises, and MakerFailed.
        """
        make = functools.partial(self.maker.function, **arguments)
        if self._thread is not None:
            begin = functools.partial(self._begin, make)
            return await (self._thread.submit(begin) if in_thread is None else in_thread(begin))
        if self.maker.kind is Kind.COROUTINE:
            return self._checked(await make())
        generator = make()
        try:
            value = await anext(generator)
        except StopAsyncIteration:
            raise self._no_yield() from None
        self._generator = generator
        return value

    def _begin(self, make: Callable[[], Any]) -> Any:
        if self.maker.kind is Kind.FUNCTION:
            return self._checked(make())
        generator = make()
        try:
            value = next(generator)
        except StopIteration:
            raise self._no_yield() from None
        self._generator = generator
        return value

    async def close(self, error: BaseException | None) -> None:
        """Let a generator go on behind its `yield`; or raise `error` there, by which the call ended.

        It may catch the error, which changes nothing. Raises whatever else it raises, and MakerFailed if it yields
        again; then it is closed all the same.
        """
        if self._thread is not None:
            if self.maker.kind is Kind.GENERATOR:
                await self._thread.submit(functools.partial(self._end, error))
            return
        generator = self._generator
        if generator is None:
            return
        assert isinstance(generator, AsyncGenerator)  # noqa: S101 - of a maker without a thread
        self._generator, before = None, None if error is None else error.__traceback__
        try:
            await (anext(generator) if error is None else generator.athrow(error))
        except StopAsyncIteration:
            return
        except BaseException as raised:
            if not _is_same(raised, error):
                raise
            raised.__traceback__ = before  # which would lead here, where the error itself is: a circle
        else:
            raise self._second_yield()
        finally:
            await generator.aclose()

    def give_up(self, error: BaseException) -> None:
        """Of a take that did not succeed. One in a thread goes on, as nothing ends a thread: what it makes after all is
        closed there, and nobody waits for that."""
        if self._thread is not None and self.maker.kind is Kind.GENERATOR:
            self._thread.submit(functools.partial(self._end, error))

    def _end(self, error: BaseException | None) -> None:
        """In the thread, after the take, also one that nobody waited for any more."""
        generator = self._generator
        if generator is None:
            return
        assert isinstance(generator, Generator)  # noqa: S101 - of a plain maker
        self._generator, before = None, None if error is None else error.__traceback__
        try:
            if error is None:
                next(generator)
            else:
                generator.throw(error)
        except StopIteration:
            return
        except BaseException as raised:
            if not _is_same(raised, error):
                raise
            raised.__traceback__ = before  # which would lead here, where the error itself is: a circle
        else:
            raise self._second_yield()
        finally:
            generator.close()

    def _checked(self, value: Any) -> Any:
        """Of a maker that returns. The instance of a class may be anything."""
        if inspect.iscoroutine(value) or inspect.isgenerator(value):
            value.close()
        elif not inspect.isasyncgen(value) and not (
            inspect.isawaitable(value)
            and self.maker.kind is Kind.FUNCTION
            and not isinstance(self.maker.function, type)
        ):
            return value
        raise MakerFailed(
            f"{self.maker.where} returned a {type(value).__name__} in the place of a value: declare it, and what "
            "decorates it, as what it wraps: with async def, or with a yield of its own."
        )

    def _no_yield(self) -> MakerFailed:
        return MakerFailed(f"{self.maker.where} ended without a yield: it has to yield its value, once.")

    def _second_yield(self) -> MakerFailed:
        return MakerFailed(f"{self.maker.where} yielded a second time: what follows its yield only closes.")


def _is_same(raised: BaseException, error: BaseException | None) -> bool:
    """Whether what came out is what was thrown in: Python wraps a StopIteration (PEP 479)."""
    return raised is error or (isinstance(error, StopIteration | StopAsyncIteration) and raised.__cause__ is error)
