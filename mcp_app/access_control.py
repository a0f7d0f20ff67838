"""Who is let in, and as whom, before any handler; and what an answer says because of who asked.

A request passes the bounds of its address, the guard, and the question who calls. What each of them decides is its own:
here they only come in their order. No handler and no dialect is known here.
"""

from __future__ import annotations

from collections.abc import Awaitable

from .auth.audit import AuditLog
from .auth.authentication import Authentication, Identify
from .auth.ticketing import Ticketing, has_ticket
from .authoring.permitted import WITHHELD
from .config.settings import Settings
from .manifest import DOCUMENT_PATHS
from .protocol.access import ANONYMOUS, UNKNOWN, Access
from .protocol.errors import InsufficientScope, McpAppError
from .protocol.http.forwarded import TrustedProxies
from .routes import HEALTH_PATHS, OPEN_PATHS, RESOURCE_PATH
from .runs import Runs
from .web.charging import charge
from .web.credential_watch import CredentialWatch
from .web.forwarding import Forwarding
from .web.frames import Frames
from .web.guard import Guard
from .web.messages import Answer, Request
from .web.private import VARY, private

_CHALLENGED = frozenset({401, 403})
"""Statuses that tell a caller how to get what it lacks."""

_AUDITED = frozenset({401, 403, 429})
"""Statuses of requests that are refused for who sent them, which is in the audit log."""

_VARY = ("Vary", "Accept")


class AccessControl:
    """What stands before the handlers of one server. `exposed`: whether other machines can reach it."""

    def __init__(
        self,
        settings: Settings,
        runs: Runs,
        guard: Guard,
        authentication: Authentication,
        ticketing: Ticketing,
        audit: AuditLog | None,
        *,
        exposed: bool,
    ) -> None:
        proxies = TrustedProxies(settings.trusted_proxies)
        self._forwarding = Forwarding(proxies, exposed=exposed) if proxies or exposed else None
        self._charges = runs.charges
        self._guard = guard
        self._authentication = authentication
        self._ticketing = ticketing
        self._audit = audit
        self._watch = CredentialWatch(runs, authentication.revoked, authentication.signed_out)

    def arrive(self, request: Request) -> None:
        """Find out whose address the request comes from."""
        if self._forwarding is not None:
            self._forwarding.apply(request)
        if (audit := self._audit) is not None:
            WITHHELD.set(lambda access, name: audit.withheld(request, access, name))

    def check(
        self, request: Request, body_error: McpAppError | None, identify: Identify | None
    ) -> Awaitable[None] | None:
        """Let the request in, with the access of its caller. Raises why not, as does what is to be awaited, where that
        takes time; `body_error` if only that speaks against it."""
        is_health = request.path in HEALTH_PATHS
        asked = not is_health and request.method != "OPTIONS"  # balancers, and preflights, have no credentials
        public = is_public(request)
        if asked and self._charges is not None:
            self._charges.arrive(request.peer)
        if identify is None and not self._authentication.verifies:
            self._guard.check_address(request)
        if not is_health:
            self._guard.check_host(request)
        if not public:
            self._guard.check_origin(request)
        elif not self._guard.trusts_origin(request):
            _forget_browser(request)
        if body_error is not None:
            raise body_error
        if not asked:
            return None
        if request.query and has_ticket(request):
            return self._admitted(request, self._ticketing.admit(request))
        access = self._authentication.access(request, identify, open_to_all=_is_open(request))
        if not isinstance(access, Access):
            return self._admitted(request, access)
        request.access = access
        if self._charges is not None:
            charge(request, self._charges)
        return None

    def answered(self, request: Request, answer: Awaitable[Answer]) -> Awaitable[Answer]:
        """The handler's answer. What a ticket is good for ends, or begins, with it."""
        return answer if request.access.run_key is None else self._ticketing.answered(request, answer)

    def refused(self, request: Request, error: McpAppError, status: int) -> None:
        """Write down that the request was refused, if it was for who sent it. What it was for was withheld before."""
        if self._audit is not None and status in _AUDITED and not isinstance(error, InsufficientScope):
            self._audit.refused(request, error.code, status)

    def settle(self, request: Request, answer: Answer | None) -> None:
        """The request is answered, or never will be: give back what it was charged, and watch over its stream."""
        if request.place is not None:
            request.place.settle(answer)
        if request.access is not ANONYMOUS and request.access.ends and answer is not None:
            self._watch.add(answer.body if isinstance(answer.body, Frames) else None, request.access)

    def fields(self, request: Request, answer: Answer, identify: Identify | None) -> tuple[tuple[str, str], ...]:
        """The answer's header fields, with those that depend on who has asked."""
        fields = answer.headers
        if answer.status in _CHALLENGED:
            fields = self._authentication.challenged(request, fields)
        vary = _VARY
        if self._authentication.verifies or identify is not None:
            vary = VARY
            if not (request.access == UNKNOWN and _is_open(request)):
                fields = private(fields)
        # The discovery documents have CORS fields of their own: a repeated field allows no origin.
        if not self._guard.allows_origins or is_public(request):
            return (*fields, vary)
        return (*fields, vary, *self._guard.cors(request.headers))

    def close(self) -> None:
        """Stop watching: the server stops."""
        self._watch.close()

    async def _admitted(self, request: Request, coming: Awaitable[Access]) -> None:
        request.access = await coming
        if self._charges is not None:
            charge(request, self._charges)


def is_public(request: Request) -> bool:
    """Whether pages of any origin may read the answer: the discovery documents, which contain nothing secret."""
    return request.path in DOCUMENT_PATHS or request.path.startswith(RESOURCE_PATH)


def _is_open(request: Request) -> bool:
    """Whether it is answered whoever asks, to nobody with what anybody may know."""
    return request.path in OPEN_PATHS or request.path.startswith(RESOURCE_PATH)


def _forget_browser(request: Request) -> None:
    """Take away the credentials that a browser adds by itself, whatever page has it ask."""
    request.headers = {name: value for name, value in request.headers.items() if name != "cookie"}
    request.certificate = None
