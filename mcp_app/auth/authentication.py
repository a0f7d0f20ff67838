"""Who calls: the rule by which verifiers are asked, and what becomes of a caller whom none of them knows.

How credentials are verified is each verifier's own. No task is made, and nothing awaited where a verifier answers at
once.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from ..config.settings import Settings
from ..protocol.access import ANONYMOUS, UNKNOWN, Access
from ..protocol.errors import McpAppError, RequestError, Unauthorized
from ..protocol.http import challenge
from ..protocol.scopes import Hierarchy
from ..protocol.this_machine import is_this_machine
from ..web.messages import Request
from .credentials import check_credentials
from .verifier import Verifier, place

logger = logging.getLogger("mcp_app.auth")

Identify = Callable[[], Awaitable[Access]]
"""Returns the access of a request's caller, as the application around us has it. Raises Unauthorized for nobody."""

_Kind = TypeVar("_Kind", bound=Verifier)

VERIFY_SECONDS = 10.0
"""How long verifiers may take to say who calls: an authorization server that does not answer."""

CLOSE_SECONDS = 3.0
"""How long they may take to close, all at once: as what tools share, which is closed after them."""


class Authentication:
    """Asks verifiers, in their order, who calls."""

    def __init__(self, settings: Settings, verifiers: Sequence[Verifier] = ()) -> None:
        self.verifies = bool(verifiers)
        """Whether there is a verifier: then other machines may be served."""
        self.asks = asks(settings, self.verifies)
        """Whether callers are asked who they are."""
        self._verifiers = tuple(verifiers)
        self._recalls = [each.recall for each in verifiers if type(each).recall is not Verifier.recall]
        self._hierarchy = Hierarchy.read(settings.scopes)
        self._implies = bool(self._hierarchy.scopes)
        self._allow_anonymous = settings.allow_anonymous
        self.refuses_anonymous = self.asks and not settings.allow_anonymous
        """Whether who shows no credentials is refused, but for what is open to all."""
        self._nobody = UNKNOWN if settings.allow_anonymous else None if self.asks else ANONYMOUS

    def access(
        self, request: Request, identify: Identify | None = None, *, open_to_all: bool = False
    ) -> Access | Awaitable[Access]:
        """The caller's access. `identify` asks the application around us, after the verifiers; with `open_to_all` who
        is nobody, or is refused, is let in as one who may see only what needs no scope.

        Raises Unauthorized with its challenge, InvalidCredentials, and what else a verifier raises.
        """
        if not self.verifies and identify is None:
            return self._unknown(request, open_to_all)
        if not open_to_all or identify is not None:
            return self._known(request, identify)
        try:
            found = self._known(request, None)
        except RequestError:
            return UNKNOWN
        return found if isinstance(found, Access) else _or_unknown(found)

    def find(self, kind: type[_Kind]) -> _Kind | None:
        """The first verifier of this class; None without one."""
        return next((verifier for verifier in self._verifiers if isinstance(verifier, kind)), None)

    async def revoked(self, access: Access) -> bool:
        """Whether a verifier says that what it gave this access for holds no more."""
        for verifier in self._verifiers:
            said = verifier.revoked(access)
            if await said if inspect.isawaitable(said) else said:
                return True
        return False

    def signed_out(self, access: Access) -> bool:
        """Whether the sign-in that gave this access was ended by its holder. A verifier that fails to say so has not
        said it."""
        for verifier in self._verifiers:
            try:
                if verifier.signed_out(access):
                    return True
            except Exception:
                logger.exception("the verifier %s failed", place(type(verifier).signed_out))
        return False

    async def ended(self, access: Access) -> bool:
        """Whether it holds no more, for whichever of these reasons."""
        return self.signed_out(access) or await self.revoked(access)

    def challenged(self, request: Request, headers: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """The header fields of a 401 or 403, with the URL of the metadata in its challenge where there is one. It is
        refused all the same where a verifier fails to name it."""
        for verifier in self._verifiers:
            try:
                if (url := verifier.metadata(request)) is not None:
                    return challenge.with_metadata(headers, url, verifier.first_scopes)
            except Exception:
                logger.exception("the verifier %s failed", place(type(verifier).metadata))
        return tuple(headers)

    @property
    def documents(self) -> Mapping[str, Mapping[str, Any]]:
        """The metadata that the verifiers have, by path; those of the first where two have some."""
        return dict(item for verifier in reversed(self._verifiers) for item in verifier.documents().items())

    async def start(self) -> None:
        """Raises VerifierError, and what a verifier of an author's raises: those that were started are closed then."""
        started: list[Verifier] = []
        try:
            for verifier in self._verifiers:
                started.append(verifier)
                await verifier.start()
        except BaseException:
            await _close(started)
            raise

    async def close(self) -> None:
        await _close(self._verifiers)

    # --- one request -------------------------------------------------------------------------------------------------

    def _known(self, request: Request, identify: Identify | None) -> Access | Awaitable[Access]:
        if self.verifies and (field := request.headers.get("authorization")) is not None:
            for recall in self._recalls:
                if (access := recall(field)) is not None:
                    return access
            check_credentials(field)
        verifiers = iter(self._verifiers)
        try:
            for verifier in verifiers:
                found = verifier.verify(request)
                if found is None:
                    continue
                if isinstance(found, Access):
                    return found if found.scopes is None or not self._implies else self._granted(verifier, found)
                if inspect.isawaitable(found):  # which takes longer to ask
                    return self._later(verifier, found, verifiers, request, identify)
                return self._granted(verifier, found)
        except Unauthorized as error:
            raise _refused(error, request) from None
        return self._unknown(request, open_to_all=False) if identify is None else identify()

    async def _later(
        self,
        verifier: Verifier,
        found: Awaitable[Access | None],
        rest: Iterable[Verifier],
        request: Request,
        identify: Identify | None,
    ) -> Access:
        try:
            async with asyncio.timeout(VERIFY_SECONDS) as limit:
                if (access := await found) is not None:
                    return self._granted(verifier, access)
                for asked in rest:
                    said = asked.verify(request)
                    access = await said if inspect.isawaitable(said) else said
                    if access is not None:
                        return self._granted(asked, access)
        except Unauthorized as error:
            raise _refused(error, request) from None
        except TimeoutError:
            if not limit.expired():
                raise
            names = ", ".join(place(type(each).verify) for each in self._verifiers)
            raise TimeoutError(f"the verifiers ({names}) did not say within {VERIFY_SECONDS:g} s who calls") from None
        return self._unknown(request, open_to_all=False) if identify is None else await identify()

    def _granted(self, verifier: Verifier, access: Access) -> Access:
        if not isinstance(access, Access):
            raise TypeError(f"the verifier {place(type(verifier).verify)} returned {type(access).__name__}, no Access")
        if not self._implies or access.scopes is None:
            return access
        if (scopes := self._hierarchy.implied(access.scopes)) is access.scopes:
            return access
        return replace(access, scopes=scopes)

    def _unknown(self, request: Request, open_to_all: bool) -> Access:
        """Of whom no verifier has said who it is. Raises Unauthorized."""
        if self._nobody is not None and not (self.verifies and "authorization" in request.headers):
            return self._nobody
        if open_to_all:
            return UNKNOWN
        if not self.verifies:
            raise _refused(Unauthorized(_NOBODY_KNOWN, hint=_HOW_TO_KNOW), request)
        raise _refused(Unauthorized(_UNKNOWN if "authorization" in request.headers else _NOBODY), request)


_NOBODY = "This server asks who calls, and the request has no credentials."
_NOBODY_KNOWN = "This server asks who calls, and nothing here can tell."
_HOW_TO_KNOW = (
    "Whoever runs the server makes keys (mcp-app keys add) and names their file in MCP_APP_KEYS, or sets "
    "MCP_APP_ALLOW_ANONYMOUS=1."
)
_UNKNOWN = "No caller is known by these credentials."


def _refused(error: Unauthorized, request: Request) -> McpAppError:
    """With its challenge (RFC 6750, 3): an error code only for who has shown a token."""
    if challenge.FIELD not in error.headers:
        shown = request.headers.get("authorization", "")[:7].lower() == "bearer "
        error.headers[challenge.FIELD] = challenge.bearer("invalid_token" if shown else None)
    return error


async def _or_unknown(found: Awaitable[Access]) -> Access:
    try:
        return await found
    except RequestError:
        return UNKNOWN


async def _close(verifiers: Iterable[Verifier]) -> None:
    await asyncio.gather(*map(_close_one, verifiers))


async def _close_one(verifier: Verifier) -> None:
    """One that fails, or hangs, keeps nothing else of the server from its end."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await verifier.close()
    except Exception:
        logger.exception("the verifier %s did not close", place(type(verifier).close))


def asks(settings: Settings, verifies: bool) -> bool:
    """Whether callers are asked who they are: where something can tell, and where the server has a public name, as
    behind a proxy on the same machine every stranger comes by loopback."""
    return verifies or not _on_loopback(settings)


def _on_loopback(settings: Settings) -> bool:
    """Whether the public URL, if there is one, names this machine."""
    return settings.public_url is None or is_this_machine((settings.public_url.host or "").strip("[]."))
