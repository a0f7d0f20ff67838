"""What a tool in a worker asks its caller: the server asks, with all that it knows of it, and answers are read here.

Forms are classes of the tool's module, and values of `ctx.once` are made by its functions: neither leaves this process.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..asking import Ask, Emit, Once
from ..asking.asker import End, problem
from ..asking.by_retry import QUIET_TURNS
from ..protocol.asking import Declined
from ..protocol.errors import ToolFailed
from ..protocol.relay import KeptThere
from ..runs.dialogue import Dialogue, Respond

T = TypeVar("T")


class AskerThere:
    """The asker of one call: an `Asker` whose questions the server's own asker asks.

    Questions that are asked in one turn of the loop arrive there in one turn, so that they are one round.
    """

    def __init__(self, capabilities: Mapping[str, Any], *, polled: bool) -> None:
        self.capabilities = capabilities
        self.polled = polled
        self.dialogue: Dialogue | None = None
        """Set before the function begins."""
        self._kept = _Kept()
        self.once: Once = OnceThere(self._requested, self._kept)
        self._asks: dict[int, Ask[Any]] = {}
        self._unsent: list[tuple[dict[str, Any], asyncio.Future[asyncio.Future[Any]]]] = []

    @property
    def responses(self) -> Mapping[str, Respond]:
        """What the server may request, by name."""
        return {"read": self._read, "make": self._kept.make}

    def attach(self, emit: Emit, end: End) -> None:
        """Does nothing: the server's asker ends the call with its questions."""

    async def ask(self, ask: Ask[T], key: str) -> T:
        """Have the server send the request, and return the answer. Raises as the server's asker does."""
        if ask.visit is not None:
            raise ToolFailed(
                'ctx.ask_url(until=…) cannot be used with placement="process": the page, in the server\'s process, '
                "does not know the visits of another one. Write that tool without a placement."
            )
        number = self._kept.number()
        self._asks[number] = ask
        try:
            sent = await self._sent({"id": number, "method": ask.method, "params": ask.params, "key": key})
            await self._dialogue().response(sent)
        except KeptThere:
            raise self._kept.error(number) from None
        else:
            answer: T = self._kept.value(number)
            return answer
        finally:
            del self._asks[number]
            self._kept.forget(number)

    async def _sent(self, request: dict[str, Any]) -> asyncio.Future[Any]:
        """The future of the response, once the request was sent with those that were made beside it."""
        waiting: asyncio.Future[asyncio.Future[Any]] = asyncio.get_running_loop().create_future()
        self._unsent.append((request, waiting))
        if len(self._unsent) == 1:
            self._sending = asyncio.create_task(self._send_when_quiet(), name="questions of a tool")
        return await waiting

    async def _send_when_quiet(self) -> None:
        count, quiet = len(self._unsent), 0
        while quiet < QUIET_TURNS:
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(self._unsent) == count else 0
            count = len(self._unsent)
        unsent, self._unsent = self._unsent, []
        asked = [(request, waiting) for request, waiting in unsent if not waiting.done()]  # its own timeout withdrew it
        try:
            sent = self._dialogue().begin([("ask", request) for request, _ in asked])
        except Exception as error:
            for _, waiting in asked:
                waiting.set_exception(error)
            return
        for (_, waiting), future in zip(asked, sent, strict=True):
            waiting.set_result(future)

    async def _read(self, sent: Any) -> None:
        """Whether the result is an answer: ValueError says why not."""
        number, ask = sent["id"], self._asks.get(sent["id"])
        if ask is None:
            raise KeptThere("it was withdrawn")
        try:
            self._kept.keep(number, await ask.read(sent["result"]))
        except Declined:
            raise
        except ValueError as error:
            raise ValueError(problem(error)) from error
        except Exception as error:
            self._kept.keep_error(number, error)
            raise KeptThere("of the author's own") from error

    async def _requested(self, name: str, value: Any) -> Any:
        return await self._dialogue().request(name, value)

    def _dialogue(self) -> Dialogue:
        assert self.dialogue is not None  # noqa: S101 - set before the function begins
        return self.dialogue


class OnceThere(Once):
    """The values of `ctx.once`: the server has them, and has those that are missing made here."""

    def __init__(self, request: Callable[[str, Any], Any], kept: _Kept) -> None:
        super().__init__({})
        self._request = request
        self._kept = kept

    async def value(self, key: str, make: Callable[[], Any]) -> Any:
        """As `Once.value`."""
        number = self._kept.number()
        self._kept.makers[number] = make
        try:
            return await self._request("once", {"id": number, "key": key})
        except KeptThere:
            raise self._kept.error(number) from None
        finally:
            del self._kept.makers[number]
            self._kept.forget(number)


class _Kept:
    """What only this process can hold, by number: makers, and what they and readers gave or raised."""

    def __init__(self) -> None:
        self.makers: dict[int, Callable[[], Any]] = {}
        self._numbers = itertools.count(1)
        self._values: dict[int, Any] = {}
        self._errors: dict[int, BaseException] = {}

    def number(self) -> int:
        return next(self._numbers)

    async def make(self, sent: Any) -> Any:
        """The value of a maker, as JSON."""
        number = sent["id"]
        try:
            # As `Once` makes it: refused, if it is not JSON, where its author sees it.
            return await Once({}).value("it", self.makers[number])
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # SystemExit would end the loop
            self.keep_error(number, error)
            raise KeptThere("of the author's own") from error

    def keep(self, number: int, value: Any) -> None:
        self._values[number] = value

    def value(self, number: int) -> Any:
        return self._values[number]

    def keep_error(self, number: int, error: BaseException) -> None:
        self._errors[number] = error

    def error(self, number: int) -> BaseException:
        """What was raised here; else the server's own failure, which its log has."""
        return self._errors.get(number) or RuntimeError("the server could not do what was asked: its log says why")

    def forget(self, number: int) -> None:
        self._values.pop(number, None)
        self._errors.pop(number, None)
