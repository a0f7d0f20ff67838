"""`Server`: the parts of one server. `Life`: its start and its stop on one event loop.

No request is answered here, and no framework is known: what has a lifespan, and what has none, both start a Life.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .asking import Visits
from .auth.audit import AuditError, AuditLog
from .auth.authentication import Authentication, asks
from .auth.configured import configured
from .auth.verifier import Verifier, VerifierError
from .authoring.around import Around
from .authoring.completion import plans
from .authoring.dependencies import Plan
from .authoring.findable import check_findable
from .authoring.lengths import cut_short
from .authoring.prompt import Prompts
from .authoring.resource import Resources
from .authoring.tool import Registry, Tool
from .config.limits import DEFAULTS, parse_rules
from .config.retired import retired
from .config.settings import Settings
from .config.unknown import unknown
from .endpoint import Endpoint
from .eventlog.configured import shared_log
from .eventlog.memory import MemoryLog
from .limits.charges import Charges
from .limits.shared_charges import SharedCharges
from .manifest import Manifest
from .nodes import Node
from .nodes.limit_letters import LimitLetters
from .protocol.errors import LogRefused, LogUnavailable, ToolDefinitionError
from .runs import MakerFailed, Runs
from .web.asgi.application import Lane
from .web.asgi.lifespan import NotStarted
from .web.asgi.server_state import Served

logger = logging.getLogger("mcp_app")

DRAIN_SECONDS = 4.0
"""How long tools may take for cleanup when the server stops, while it still answers: less than hypercorn.toml's
shutdown_timeout, more than a last commit. Our own server waits as long for them (server/engine/draining.py)."""


@dataclass(slots=True)
class Server:
    """The parts of an application; `app.extensions["mcp_app"]`. `endpoint` is None unless the app is being served."""

    settings: Settings
    registry: Registry
    manifest: Manifest
    resources: Resources
    prompts: Prompts
    instructions: str | None = None
    arounds: tuple[Around, ...] = ()
    verifiers: tuple[Verifier, ...] = ()
    hosted: bool = False
    """Whether an application around us says who calls."""
    administered: bool = False
    """Whether metrics are served at an address of their own."""
    endpoint: Endpoint | None = None

    @property
    def started(self) -> Endpoint:
        """The endpoint, of an application that has been started."""
        assert self.endpoint is not None  # noqa: S101 - set by the startup
        return self.endpoint

    def administration(self) -> Lane:
        """The application for operators, at an address of its own: called once, before the start."""
        self.administered = True
        return Lane(lambda request, error: self.started.administration.answer(request, error))

    @property
    def verifies(self) -> bool:
        """Whether something knows who calls: other machines may be served then."""
        try:
            return bool(self.verifiers or self.configured())
        except VerifierError:
            return True  # which is said at the start

    def configured(self) -> list[Verifier]:
        """New verifiers that the settings name. Raises VerifierError."""
        card = self.manifest.card
        return configured(self.settings, self.manifest.endpoint_paths, card.title or card.name)

    @property
    def refuses_anonymous(self) -> bool:
        """Whether who shows no credentials is refused."""
        return not self.settings.allow_anonymous and asks(self.settings, self.verifies)

    @property
    def exposed(self) -> bool:
        """Whether others than this machine's user may call: then callers are told apart, and limited by default."""
        return self.hosted or self.settings.allow_anonymous or asks(self.settings, self.verifies)

    def charges(self) -> Charges | None:
        """What holds the limits, over all processes where they share a log; None where nothing is limited, and callers
        are not told apart."""
        rules = parse_rules(self.settings.limits, DEFAULTS if self.exposed else ())
        kind = SharedCharges if self.settings.event_log.shared else Charges
        return kind(rules, asyncio.get_running_loop().time) if rules or self.exposed else None

    def cut_by_clients(self) -> list[str]:
        """A line that names the texts for models that some clients cut; none if there are no such texts."""
        texts = {"instructions": self.instructions or ""}
        for noun, items in (("tool", self.registry), ("resource", self.resources), ("prompt", self.prompts)):
            texts |= {f"{noun} {item.name}": item.description for item in items}
        return cut_short(texts)

    def plans(self) -> Iterator[Plan]:
        """What is made here for the functions that are offered: not what a tool needs in its processes."""
        for item in (*self.registry, *self.resources, *self.prompts):
            elsewhere = item.plan if isinstance(item, Tool) and item.origin is not None else None
            yield from (plan for plan in plans(item.signature) if plan is not elsewhere)


class Life:
    """Startup and shutdown of a server: creates what needs the event loop, and sets the server's `endpoint`."""

    def __init__(self, server: Server, served: Served) -> None:
        """`served` has what the HTTP server provides."""
        self._server = server
        self._served = served
        self._draining: asyncio.Task[None] | None = None
        self._drain_deadline = 0.0
        self._runs: Runs | None = None
        self._node: Node | None = None
        self._authentication: Authentication | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._audit: AuditLog | None = None

    async def start(self) -> None:
        """Raises NotStarted if what the tools share cannot be made, or a process could not find a tool. What fails here
        leaves nothing behind."""
        server = self._server
        for each in (*retired(os.environ), *unknown(os.environ), *server.cut_by_clients()):
            logger.warning("%s", each)
        if self._served.processes > 1 and not server.settings.event_log.shared:
            logger.warning(
                "%d processes serve, each with a log in its own memory: a client that comes back to a run, a stream, a "
                "task or a session finds it in one of them alone. Set MCP_APP_EVENT_LOG=sqlite:///runs.db or "
                "redis://…, or serve by one process",
                self._served.processes,
            )
        log = MemoryLog()
        try:
            self._audit = AuditLog.configured(server.settings)
        except AuditError as error:
            raise NotStarted(str(error)) from error
        try:
            shared = shared_log(server.settings)
        except LogRefused as error:
            raise NotStarted(str(error)) from error
        node = self._node = None if shared is None else Node(shared, server.settings, server.registry)
        runs = self._runs = Runs(
            server.settings, log, server.registry, server.arounds, server.charges(), self._audit, node
        )
        try:
            if node is not None:
                await node.start(runs.known)
                if isinstance(runs.charges, SharedCharges):
                    LimitLetters(node, runs.charges)
                Visits.store = node.visits
            check_findable(server.registry)
            runs.watch.start()
            await runs.dependencies.shared.start(server.plans())
            authentication = Authentication(server.settings, (*server.configured(), *server.verifiers))
            await authentication.start()
            self._authentication = authentication
        except BaseException as error:
            await self._close()
            if isinstance(error, MakerFailed | ToolDefinitionError | VerifierError | LogRefused | LogUnavailable):
                raise NotStarted(str(error)) from error
            raise
        server.endpoint = Endpoint(
            server.settings,
            server.registry,
            server.manifest,
            runs,
            log,
            resources=server.resources,
            prompts=server.prompts,
            instructions=server.instructions,
            malformed=lambda: self._served.malformed_requests(),
            is_stopping=lambda: self._served.is_stopping(),
            page=self._served.page,
            authentication=authentication,
            exposed=server.exposed,
            administered=server.administered,
            audit=self._audit,
            node=node,
        )
        server.endpoint.metrics_page.start()
        if node is not None:
            node.begin_again_with(runs)
        self._draining = None
        self.subscribe()

    def subscribe(self) -> None:
        """To the beginning of the HTTP server's shutdown, if it tells when that is; once."""
        if self._unsubscribe is None and self._served.on_draining is not None:
            self._unsubscribe = self._served.on_draining(self._drain)

    async def stop(self) -> None:
        """End what was started. Idempotent, also after one that was cancelled."""
        if self._runs is None:
            return
        draining = self._drain()
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if draining is not None:
            remaining = self._drain_deadline - asyncio.get_running_loop().time()
            _, pending = await asyncio.wait({draining}, timeout=max(0.0, remaining))
            if pending:
                draining.cancel()
                logger.warning("some tools did not clean up within %g seconds", DRAIN_SECONDS)
        if names := self._runs.threads.names:
            logger.warning("plain functions that end with the process: %s", ", ".join(names))
        await self._close()

    async def _close(self) -> None:
        """Close what tools share, here and in their processes, which end, verifiers and the logs. Idempotent."""
        if self._authentication is not None:
            authentication, self._authentication = self._authentication, None
            await authentication.close()
        if self._server.endpoint is not None:
            self._server.endpoint.metrics_page.close()
        if self._runs is not None:
            await asyncio.gather(self._runs.dependencies.stop(), self._runs.processes.close())
            if self._node is not None:
                if Visits.store is self._node.visits:
                    Visits.store = None
                await self._node.stop()
            self._runs.close()
            self._runs = self._node = None
        if self._audit is not None:
            self._audit.close()

    def _drain(self) -> asyncio.Task[None] | None:
        """Called as soon as the server is to stop. Until the task is done requests are still answered: /readyz with
        "draining", new calls with 503."""
        if self._draining is None and self._server.endpoint is not None:
            self._drain_deadline = asyncio.get_running_loop().time() + DRAIN_SECONDS
            self._draining = asyncio.create_task(self._server.endpoint.drain(), name="drain")
        return self._draining
