"""What one call takes by its `Depends`, in order, and gives back in the reverse order when it is over.

One task takes and closes all of it, apart from the run's: whatever cancels the run does not reach it, and what a
generator enters it leaves in the same task. Values that calls share are in shared.py.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..authoring.context import Caller, Context
from ..authoring.dependencies import Maker, Plan
from ..authoring.kind import FailedArguments, Kind
from .callee import Callee
from .channel import Channel
from .closings import CANCEL_TRIES, CLOSE_SECONDS, Closings, forget_cancellation
from .execution import Outcome, Until, queue, relay, work
from .from_thread import Item, Waits
from .kept_thread import KeptThread
from .made import Made, MakerFailed
from .sends import Emit, Sends, check_waited
from .shared import SharedValues
from .threads import QUEUE_SECONDS, Threads

_NONE: Mapping[str, Any] = {}

logger = logging.getLogger("mcp_app.runs")


class Told(NamedTuple):
    """The run whose call it is, for makers that have its `Context`, or wait for a thread."""

    callee: Callee
    caller: Caller
    emit: Emit


class Supply:
    """The values of one call. `take` makes them; `close` must follow when the call is over.

    `context` is that of the call's task: what a maker sets there the function sees, and the maker sets it back.
    """

    def __init__(self, plan: Plan, shared: SharedValues, closings: Closings, context: contextvars.Context) -> None:
        self._plan = plan
        self._shared = shared
        self._closings = closings
        self._context = context
        self._thread: KeptThread | None = None
        self._made: list[Made] = []
        self._taking = False
        self._insisting: asyncio.TimerHandle | None = None
        self._over: asyncio.Future[BaseException | None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._function: asyncio.Task[Any] | None = None
        self._is_lost = False
        self._until: Until | None = None
        self._in_thread: asyncio.Future[Any] | None = None

    async def work(
        self,
        callee: Callee,
        arguments: dict[str, Any],
        caller: Caller,
        emit: Emit,
        threads: Threads,
        run: str,
        until: Until | None,
    ) -> Outcome:
        """As `execution.work`, with what the callee needs. Raises also what makers raise, and MakerFailed."""
        owner, plain = f"run {run}: {callee.name}", callee.kind in {Kind.FUNCTION, Kind.GENERATOR}
        try:
            if type(arguments) is not FailedArguments:
                told = Told(callee, caller, emit)
                made = await self.take(owner, threads, plain=plain, arguments=arguments, told=told)
                arguments = {**arguments, **made}
            if self._over is not None:  # something is of this call, to be closed when nobody uses it any more
                self._function, self._until, until = asyncio.current_task(), until, self._begun_in_thread
            return await work(callee, arguments, caller, emit, self.thread(threads), run, until)
        except BaseException as error:
            if self._is_lost and caller.reason is None and isinstance(error, asyncio.CancelledError):
                raise self._lost() from error
            self.failed(error)
            raise
        finally:
            self._function = None

    def thread(self, threads: Threads) -> Threads | KeptThread:
        """Where a plain function works: in the very thread of its plain makers, if there are any."""
        return threads if self._thread is None else self._thread

    async def take(
        self,
        owner: str,
        threads: Threads,
        *,
        plain: bool,
        arguments: Mapping[str, Any] = _NONE,
        told: Told | None = None,
    ) -> dict[str, Any]:
        """The values, by parameter, made by the makers one after the other.

        owner: names the call in the log. plain: whether its function works in a thread. told: None if it is no run's.

        Raises what makers raise, MakerFailed, and NoThread for those that are plain.
        """
        makers, values = self._plan.needed()
        if all(maker.shared for maker in makers):
            for maker in makers:
                values[maker] = await self._shared.get(maker)
            return self._arguments(values)
        loop = asyncio.get_running_loop()
        self._owner, self._threads, self._plain, self._told = owner, threads, plain, told
        self._over = loop.create_future()
        taken: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._taking = True
        name = f"dependencies of {owner}"
        self._task = loop.create_task(self._keep(makers, values, arguments, taken), name=name, context=self._context)
        self._closings.begin(self._task)
        return await taken

    def failed(self, error: BaseException) -> None:
        """The function, or a maker, raised this: makers that are generators see it."""
        self._error = error

    def _begun_in_thread(self, outcome: asyncio.Future[Any]) -> None:
        self._in_thread = outcome
        if self._until is not None:
            self._until(outcome)

    def _lost(self) -> MakerFailed:
        """The function was cancelled by `_until_over`, and by nobody else."""
        forget_cancellation()
        self._error = MakerFailed(
            f"{self._owner}: what it depends on was cancelled while it worked, by a task group or a time-out that a "
            "maker has open. What the maker raises when it is closed is in the log, too."
        )
        return self._error

    def close(self, *, succeeded: bool) -> None:
        """The call is over; does not wait. Makers see what `failed` was told, or CancelledError unless it succeeded."""
        error, self._error = self._error, None
        if self._over is None or self._over.done():
            return
        self._over.set_result(error if succeeded or error is not None else asyncio.CancelledError("the run was ended"))
        if self._taking:
            self._cancel(CLOSE_SECONDS, CANCEL_TRIES)

    def _cancel(self, grace: float, tries: int) -> None:
        """Cancel the maker that is at work; after `grace` seconds again, if it goes on."""
        assert self._task is not None  # noqa: S101 - it is taking
        self._task.cancel()
        if tries:
            self._insisting = asyncio.get_running_loop().call_later(grace, self._cancel, 1.0, tries - 1)
        else:
            logger.error("%s: %s does not stop when it is cancelled", self._owner, self._made[-1].maker.where)

    def _arguments(self, values: Mapping[Maker, Any]) -> dict[str, Any]:
        return {name: values[maker] for name, maker in self._plan.arguments}

    # --- the task --------------------------------------------------------------------------------------------------

    async def _keep(
        self,
        makers: tuple[Maker, ...],
        values: dict[Maker, Any],
        arguments: Mapping[str, Any],
        taken: asyncio.Future[dict[str, Any]],
    ) -> None:
        assert self._over is not None  # noqa: S101 - set before
        try:
            for maker in makers:
                if maker.shared:
                    values[maker] = await self._shared.get(maker)
                else:
                    values[maker] = await self._take(maker, values, arguments)
                if self._over.done():  # the maker has swallowed its cancellation
                    break
            await self._spare_thread()
        except BaseException as error:
            if not taken.done():
                taken.set_exception(error)
                taken.exception()  # marked as retrieved: its run may have been ended
        else:
            if not taken.done():
                taken.set_result(self._arguments(values))
        self._taking = False
        if self._insisting is not None:
            self._insisting.cancel()
        del values, arguments, taken
        forget_cancellation()
        await self._close()

    async def _take(self, maker: Maker, values: Mapping[Maker, Any], arguments: Mapping[str, Any]) -> Any:
        given = {name: arguments[name] for name in maker.parameters}
        given |= {name: values[each] for name, each in maker.makers}
        thread = await self._open_thread() if maker.plain else None
        made = Made(maker, thread)
        self._made.append(made)
        if not maker.context:
            return await made.take(given)
        assert self._told is not None  # noqa: S101 - a maker of a call without a Context cannot have one
        take = _take_on_loop if thread is None else functools.partial(_take_in_thread, thread)
        return await take(made, given, self._told)

    async def _open_thread(self) -> KeptThread:
        if self._thread is None:
            self._thread = KeptThread(self._threads)
            patience = QUEUE_SECONDS
            if self._told is not None:
                patience = await queue(self._threads, self._told.caller, self._told.emit)
            await self._thread.open(self._owner, patience)
        return self._thread

    async def _spare_thread(self) -> None:
        """The thread is for others, if neither the function works in it nor is anything to be closed there."""
        if self._thread is not None and not self._plain and not any(made.open for made in self._made if made.in_thread):
            thread, self._thread = self._thread, None
            thread.end()
            await thread.leave()

    async def _close(self) -> None:
        error = await self._until_over()
        self._in_thread = self._over = None  # which keep the error, whose traceback leads back to it
        for made in reversed(self._made):
            await self._closings.close(made, error, self._owner)
        if self._thread is not None:
            self._thread.end()

    async def _until_over(self) -> BaseException | None:
        """By which error the call ended.

        What is in use is not closed: where a maker itself cancels this task (the task group in which it yields has
        failed, its time-out is over), the function is cancelled first, as if it stood within; a thread is waited for.
        At the end of the process, and after a second cancellation, it is closed at once.
        """
        assert self._over is not None  # noqa: S101 - set before
        try:
            return await self._over_and_left()
        except asyncio.CancelledError as cancelled:
            forget_cancellation()
            if self._closings.stopping:
                return cancelled
            if self._over.cancelled():
                self._over = asyncio.get_running_loop().create_future()
            if self._function is not None and not self._function.cancelling():
                self._is_lost = True
                self._function.cancel()
            try:
                await self._over_and_left()
            except asyncio.CancelledError:
                forget_cancellation()
            return cancelled

    async def _over_and_left(self) -> BaseException | None:
        assert self._over is not None  # noqa: S101 - set before
        error = await self._over
        if self._thread is not None:
            await self._thread.leave()
        elif self._in_thread is not None and not self._in_thread.done():  # nothing ends a thread
            await asyncio.wait({self._in_thread})
        return error


async def _take_on_loop(made: Made, given: dict[str, Any], told: Told) -> Any:
    sends = Sends(told.emit)
    context = Context(sends.send, told.caller)
    value = await made.take(given | dict.fromkeys(made.maker.context, context))
    await sends.check(told.callee, context, made.maker.name)
    return value


async def _take_in_thread(thread: KeptThread, made: Made, given: dict[str, Any], told: Told) -> Any:
    """What it says by its `Context` is sent while it works; and nothing after that."""
    channel: Channel[Item] = Channel(asyncio.get_running_loop(), lambda item: item.size)
    waits = Waits(channel)
    context = Context(channel.send, told.caller, waits.wait)

    async def in_thread(begin: Any) -> Any:
        async with thread.run(lambda _: begin(), channel, name=made.maker.where) as outcome, waits.answered():
            await relay(channel, waits, told.emit)
            return await outcome

    value = await made.take(given | dict.fromkeys(made.maker.context, context), in_thread)
    check_waited(told.callee, context, made.maker.name)
    return value
