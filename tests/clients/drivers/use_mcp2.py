"""The official Python SDK, 2.x: `use_mcp2.py URL STEP…`, with MODE=auto (the default) or MODE=legacy.

With BRIDGE, a command as a JSON list, over the standard streams of that command, which is given the URL.
"""

import asyncio
import json
import os
import uuid

from driving import WORK, kept, main, parts
from mcp import Client, StdioServerParameters, types


async def answer(context, params):
    """As the message says."""
    return types.ElicitResult(action=params.message, content={"name": "Ada"} if params.message == "accept" else None)


async def sample(context, params):
    text = params.messages[0].content.text
    return types.CreateMessageResult(
        role="assistant", content=types.TextContent(type="text", text=f"echo: {text}"), model="none"
    )


class Steps:
    def __init__(self, client):
        self.client = client

    async def list(self):
        return sorted(tool.name for tool in (await self.client.list_tools()).tools)

    async def add(self):
        return (await self.client.call_tool("add", {"a": 2, "b": 3})).structured_content

    async def whole(self):
        """A number that JSON may write as 2.0: an integer all the same (JSON Schema)."""
        return (await self.client.call_tool("add", {"a": 2.0, "b": 3})).structured_content

    async def late(self):
        return len((await self.client.call_tool("late", {"size": 600_000})).structured_content["text"])

    async def text(self, name, arguments=None):
        return (await self.client.call_tool(name, arguments or {})).content[0].text

    async def negotiated(self):
        return self.client.protocol_version

    async def spoken(self):
        return await self.text("spoken")

    async def fail(self):
        result = await self.client.call_tool("fail", {})
        return [result.is_error, result.content[0].text]

    async def invalid(self):
        result = await self.client.call_tool("add", {"a": "two", "b": 3})
        return result.is_error

    async def picture(self):
        return (await self.client.call_tool("picture", {})).content[0].mime_type

    async def progress(self):
        seen = []

        async def report(done, total, message):
            seen.append([done, total, message])

        result = await self.client.call_tool("count", {"to": 3}, progress_callback=report)
        return [seen, result.content[0].text]

    async def cancel(self):
        key, waiting = uuid.uuid4().hex, asyncio.Event()

        async def report(done, total, message):
            waiting.set()

        call = asyncio.create_task(self.client.call_tool("wait", {"key": key}, progress_callback=report))
        await asyncio.wait_for(waiting.wait(), 10)
        call.cancel()
        await asyncio.wait({call})
        for _ in range(100):
            if await self.text("was_cancelled", {"key": key}) == "true":
                return True
            await asyncio.sleep(0.1)
        return False

    async def outlast(self):
        return await self.text("outlast", {"seconds": 2.5})

    async def work(self):
        seen = []

        async def report(done, total, message):
            seen.append(message)

        result = await self.client.call_tool(WORK["name"], WORK["arguments"], progress_callback=report)
        return {"seen": parts(seen), "kept": kept(result.meta), "result": result.structured_content}

    async def ask(self):
        return [await self.text("ask", {"message": action}) for action in ("accept", "decline", "cancel")]

    async def offer(self):
        [resource] = (await self.client.list_resources()).resources
        [template] = (await self.client.list_resource_templates()).resource_templates
        read = [(await self.client.read_resource(uri)).contents[0].text for uri in ("note://today", "day://monday")]
        got = await self.client.get_prompt("plan", {"day": "monday"})
        plan = types.PromptReference(type="ref/prompt", name="plan")
        found = await self.client.complete(plan, {"name": "day", "value": "t"})
        return [str(resource.uri), template.uri_template, read, got.messages[0].content.text, found.completion.values]

    async def sample(self):
        return await self.text("sample")


async def connect(url, run):
    mode = os.environ.get("MODE", "auto")
    server = url
    if bridge := os.environ.get("BRIDGE"):
        command, *arguments = json.loads(bridge)
        server = StdioServerParameters(command=command, args=[*arguments, url], env=dict(os.environ))
    async with Client(server, mode=mode, elicitation_callback=answer, sampling_callback=sample) as client:
        await run(Steps(client))


main(connect)
