"""The official Python SDK, 1.x: `use_mcp1.py URL STEP…`.

With MODE=sse over HTTP+SSE, the transport of 2024-11-05. With BRIDGE, a command as a JSON list, over the standard
streams of that command, which is given the URL.
"""

import asyncio
import contextlib
import json
import os
import uuid

from driving import WORK, kept, main, parts
from mcp import ClientSession, StdioServerParameters, types
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client
from pydantic import AnyUrl


async def answer(context, params):
    """As the message says."""
    return types.ElicitResult(action=params.message, content={"name": "Ada"} if params.message == "accept" else None)


async def sample(context, params):
    text = params.messages[0].content.text
    return types.CreateMessageResult(
        role="assistant", content=types.TextContent(type="text", text=f"echo: {text}"), model="none"
    )


class Steps:
    def __init__(self, session, revision):
        self.session = session
        self.revision = revision

    async def list(self):
        return sorted(tool.name for tool in (await self.session.list_tools()).tools)

    async def add(self):
        return (await self.session.call_tool("add", {"a": 2, "b": 3})).structuredContent

    async def whole(self):
        """A number that JSON may write as 2.0: an integer all the same (JSON Schema)."""
        return (await self.session.call_tool("add", {"a": 2.0, "b": 3})).structuredContent

    async def late(self):
        return len((await self.session.call_tool("late", {"size": 600_000})).structuredContent["text"])

    async def text(self, name, arguments=None):
        return (await self.session.call_tool(name, arguments or {})).content[0].text

    async def negotiated(self):
        return self.revision

    async def spoken(self):
        return await self.text("spoken")

    async def fail(self):
        result = await self.session.call_tool("fail", {})
        return [result.isError, result.content[0].text]

    async def invalid(self):
        return (await self.session.call_tool("add", {"a": "two", "b": 3})).isError

    async def picture(self):
        return (await self.session.call_tool("picture", {})).content[0].mimeType

    async def progress(self):
        seen = []

        async def report(done, total, message):
            seen.append([done, total, message])

        result = await self.session.call_tool("count", {"to": 3}, progress_callback=report)
        return [seen, result.content[0].text]

    async def cancel(self):
        """Leaving is not cancelling in this revision: the notification is."""
        key, waiting = uuid.uuid4().hex, asyncio.Event()

        async def report(done, total, message):
            waiting.set()

        number = self.session._request_id  # the next one's; the library has no other way to learn it
        call = asyncio.create_task(self.session.call_tool("wait", {"key": key}, progress_callback=report))
        await asyncio.wait_for(waiting.wait(), 10)
        await self.session.send_notification(
            types.ClientNotification(
                types.CancelledNotification(params=types.CancelledNotificationParams(requestId=number))
            )
        )
        try:
            for _ in range(100):
                if await self.text("was_cancelled", {"key": key}) == "true":
                    return True
                await asyncio.sleep(0.1)
            return False
        finally:
            call.cancel()
            await asyncio.wait({call})

    async def outlast(self):
        return await self.text("outlast", {"seconds": 2.5})

    async def work(self):
        seen = []

        async def report(done, total, message):
            seen.append(message)

        result = await self.session.call_tool(WORK["name"], WORK["arguments"], progress_callback=report)
        return {"seen": parts(seen), "kept": kept(result.meta), "result": result.structuredContent}

    async def ask(self):
        return [await self.text("ask", {"message": action}) for action in ("accept", "decline", "cancel")]

    async def offer(self):
        [resource] = (await self.session.list_resources()).resources
        [template] = (await self.session.list_resource_templates()).resourceTemplates
        read = [
            (await self.session.read_resource(AnyUrl(uri))).contents[0].text for uri in ("note://today", "day://monday")
        ]
        got = await self.session.get_prompt("plan", {"day": "monday"})
        plan = types.PromptReference(type="ref/prompt", name="plan")
        found = await self.session.complete(plan, {"name": "day", "value": "t"})
        return [str(resource.uri), template.uriTemplate, read, got.messages[0].content.text, found.completion.values]

    async def sample(self):
        return await self.text("sample")


@contextlib.asynccontextmanager
async def streams(url):
    if bridge := os.environ.get("BRIDGE"):
        command, *arguments = json.loads(bridge)
        # All of the environment: the bridge is told there which certificates to trust.
        parameters = StdioServerParameters(command=command, args=[*arguments, url], env=dict(os.environ))
        async with stdio_client(parameters) as (read, write):
            yield read, write
    elif os.environ.get("MODE") == "sse":
        async with sse_client(url) as (read, write):
            yield read, write
    else:
        async with streamablehttp_client(url) as (read, write, _):
            yield read, write


async def connect(url, run):
    async with (
        streams(url) as (read, write),
        ClientSession(read, write, elicitation_callback=answer, sampling_callback=sample) as session,
    ):
        initialized = await session.initialize()
        await run(Steps(session, initialized.protocolVersion))


main(connect)
