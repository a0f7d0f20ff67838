"""`client(…)`: a client of an application in memory, with no port, no process and no thread of its own.

What it sends is made in client/wire; how that gets to the application, and what comes of it, is in the files beside.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeVar, Unpack

from quart import Quart

from mcp_app import Prompt, Resource, Settings, Tool
from mcp_app.client.message import parse_answer
from mcp_app.client.wire import plain
from mcp_app.client.wire.conversation import Conversation
from mcp_app.client.wire.outgoing import BOTH, EVENT_STREAM, JSON
from mcp_app.client.wire.plain import PlainConversation, ToolCall
from mcp_app.client.wire.rpc import Structured
from mcp_app.client.wire.stateless import McpRequests, StatelessConversation
from mcp_app.protocol.mcp.revisions import Structure
from mcp_app.testing.caller import told
from mcp_app.testing.clock import MovableClock, settle
from mcp_app.testing.connection import ServerConnection
from mcp_app.testing.options import CallOptions, Options
from mcp_app.testing.patience import patiently
from mcp_app.testing.reading import PromptMessages, ResourceRead
from mcp_app.testing.run import ClientRun
from mcp_app.testing.served import Offered, application_of

T = TypeVar("T")


class MakeClient(Protocol):
    """The type of the fixture `mcp_client`: it is called as `client` is."""

    def __call__(
        self, *offered: Offered, settings: Settings | None = None, **options: Unpack[Options]
    ) -> AbstractAsyncContextManager[Client]: ...


@asynccontextmanager
async def client(
    *offered: Offered, settings: Settings | None = None, **options: Unpack[Options]
) -> AsyncIterator[Client]:
    """A client of what is offered, in memory: `async with client("tools.py") as c:`.

    offered: what `mcp-app serve` takes (files, modules, with `:NAME` or without), tools, resources and prompts, lists
        and Registries of them, or one application of `create_app`.
    settings: those of the application that is made; by default from the environment.
    options: how calls are made: the fields of `CallOptions`.

    The application is started and stopped as by a server; what is still open at the end is left. Raises ToolFileError
    and ToolDefinitionError for what cannot be served, TypeError and ValueError for wrong arguments.
    """
    checked = CallOptions(**options)
    verifiers = () if checked.access is None else (told,)
    app = application_of(offered, settings, verifiers)
    async with ServerConnection(app, tells=bool(verifiers)) as connection:
        yield Client(connection, checked)


class Client:
    """Calls one application, in one dialect. Made by `client`."""

    def __init__(self, connection: ServerConnection, options: CallOptions) -> None:
        self.options = options
        self._connection = connection

    def with_options(self, **changes: Unpack[Options]) -> Client:
        """A client of the same application that calls otherwise: `c.with_options(era="2026-07-28").run("crawl")`.

        Raises TypeError for an option that there is not, and ValueError for one that does not go with the others.
        """
        if changes.get("access") is not None and not self._connection.tells:
            raise ValueError("access= is for an application that asks who calls: give client(…) one, too")
        return Client(self._connection, self.options.changed(changes))

    @property
    def app(self) -> Quart:
        """The application."""
        return self._connection.app

    @property
    def clock(self) -> MovableClock:
        """The event loop's time: `await c.clock.advance(15)`."""
        return self._connection.clock

    @property
    def log(self) -> str:
        """All that was logged since the client was opened. `run.log` is that of one call."""
        return self._connection.log.text()

    async def idle(self) -> None:
        """Wait until no run is being worked on, and none cleans up. Raises NothingCame."""

        async def none_works() -> None:
            while self._connection.working:  # the server has no event for it
                await (settle() if self.clock.stopped else asyncio.sleep(0.001))

        await self._patiently(none_works(), lambda: f"{self._connection.working} runs work on, or clean up; {self.log}")

    async def _patiently(self, waiting: Coroutine[Any, Any, T], describe: Callable[[], str]) -> T:
        return await patiently(waiting, self.options.patience, describe)

    async def stop(self) -> None:
        """Stop the application now, as a server does that is told to: calls end with `Shutdown`, and none begins.

        A clock that stands still goes on: who does not end is waited for in real time.
        """
        await self._connection.stop()

    # --- calls -------------------------------------------------------------------------------------------------------

    def run(self, tool: str | Tool, /, **params: Any) -> ClientRun:
        """Call a tool. The call begins at once: iterate over what is returned for events, `await` it for the result."""
        name = tool if isinstance(tool, str) else tool.name
        if self.options.era == "plain":
            return self._begin(name, lambda: self._plain(name, params))
        return self._begin(name, lambda: self._mcp("tools/call", {"name": name, "arguments": params}, name))

    def request(self, method: str, params: Mapping[str, Any] | None = None, /) -> ClientRun:
        """Send any request of MCP; its result is as it was sent. Raises ValueError in the plain dialect."""
        self._check_mcp(method)
        return self._begin(method, lambda: self._mcp(method, params or {}))

    def _begin(self, name: str, make: Callable[[], Awaitable[Conversation]]) -> ClientRun:
        return ClientRun(self._connection, self.options, name, make)

    async def _plain(self, name: str, params: Mapping[str, Any]) -> Conversation:
        options = self.options
        call = ToolCall(name, params, options.cap_seconds, options.heartbeat_seconds)
        accept, key = JSON if options.json else EVENT_STREAM, secrets.token_urlsafe(24)
        return PlainConversation(self._connection.route, call, options.by, accept=accept, key=key)

    async def _mcp(self, method: str, params: Mapping[str, Any], name: str | None = None) -> Conversation:
        options, connection = self.options, self._connection
        tool = None if name is None else connection.tool(name)
        accept, progress = JSON if options.json else BOTH, options.progress and not options.json
        structured = None if name is None else Structured(wrapped=self._wraps(tool))
        if options.has_session:
            session = await connection.session(options)
            return session.conversation(method, params, progress=progress, structured=structured, accept=accept)
        requests = McpRequests(connection.mcp_path, options.declared, options.log_level, options.tasks, accept)
        mirrors = () if tool is None else tool.mirrors
        return StatelessConversation(
            requests, method, params, progress=progress, structured=structured, mirrors=mirrors
        )

    def _wraps(self, tool: Tool | None) -> bool:
        """Whether the result of the tool has its value in an object that it did not return."""
        return self.options.has_session and tool is not None and tool.structure is not Structure.BARE

    def _check_mcp(self, what: str) -> None:
        if self.options.era == "plain":
            raise ValueError(
                f"{what} is of MCP, and this client speaks the plain dialect, which has tools only: "
                'client(…, era="2026-07-28"), or c.with_options(era="2026-07-28")'
            )

    # --- what is offered ---------------------------------------------------------------------------------------------

    async def tools(self) -> Sequence[Mapping[str, Any]]:
        """The tools, as they are listed in this dialect."""
        if self.options.era != "plain":
            return await self._listed("tools/list", "tools")
        request = plain.document_request(self._connection.route.tools())
        _, body = await self._patiently(self._connection.ask(request, self.options), lambda: "the list of tools")
        found: Sequence[Mapping[str, Any]] = (parse_answer(body) or {})["tools"]
        return found

    async def resources(self) -> Sequence[Mapping[str, Any]]:
        """The resources, as MCP lists them."""
        return await self._listed("resources/list", "resources")

    async def resource_templates(self) -> Sequence[Mapping[str, Any]]:
        """The templates of resources, as MCP lists them."""
        return await self._listed("resources/templates/list", "resourceTemplates")

    async def prompts(self) -> Sequence[Mapping[str, Any]]:
        """The prompts, as MCP lists them."""
        return await self._listed("prompts/list", "prompts")

    async def _listed(self, method: str, name: str) -> Sequence[Mapping[str, Any]]:
        """All pages."""
        found: list[Mapping[str, Any]] = []
        page = await self.request(method)
        found += page[name]
        while "nextCursor" in page:
            page = await self.request(method, {"cursor": page["nextCursor"]})
            found += page[name]
        return found

    async def read(self, uri: str) -> ResourceRead:
        """Read the resource at the URI. Raises what reading it raises."""
        result = await self.request("resources/read", {"uri": uri})
        return ResourceRead(result["contents"])

    async def prompt(self, prompt: str | Prompt, /, **arguments: str) -> PromptMessages:
        """Get a prompt with these arguments. Raises what making it raises."""
        name = prompt if isinstance(prompt, str) else prompt.name
        result = await self.request("prompts/get", {"name": name, "arguments": arguments})
        return PromptMessages(result["messages"], result.get("description"))

    async def complete(
        self, of: str | Prompt | Resource, argument: str, typed: str = "", /, **chosen: str
    ) -> Sequence[str]:
        """What is offered for an argument of a prompt (by its name), or of a template (by its URI), when that much is
        typed; `chosen` are the other arguments."""
        if isinstance(of, Resource) or (isinstance(of, str) and "://" in of):
            reference = {"type": "ref/resource", "uri": of if isinstance(of, str) else of.uri}
        else:
            reference = {"type": "ref/prompt", "name": of if isinstance(of, str) else of.name}
        context = {"context": {"arguments": chosen}} if chosen else {}
        asked = {"ref": reference, "argument": {"name": argument, "value": typed}, **context}
        result = await self.request("completion/complete", asked)
        values: Sequence[str] = result["completion"]["values"]
        return values
