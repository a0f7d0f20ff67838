"""fastmcp's client: `use_fastmcp.py URL STEP…`. With MODE=tasks it follows tasks (io.modelcontextprotocol/tasks)."""

import asyncio
import importlib
import os
import uuid

from driving import WORK, kept, main, parts
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from mcp_types import PromptReference

if os.environ.get("MODE") == "tasks":
    importlib.import_module("fastmcp_tasks")  # which makes every client of fastmcp declare the extension


async def answer(message, response_type, params, context):
    """As the message says."""
    return {"name": "Ada"} if message == "accept" else ElicitResult(action=message)


async def sample(messages, params, context):
    return f"echo: {messages[0].content.text}"


class Steps:
    def __init__(self, client):
        self.client = client

    async def list(self):
        return sorted(tool.name for tool in await self.client.list_tools())

    async def add(self):
        return (await self.client.call_tool("add", {"a": 2, "b": 3})).structured_content

    async def whole(self):
        """A number that JSON may write as 2.0: an integer all the same (JSON Schema)."""
        return (await self.client.call_tool("add", {"a": 2.0, "b": 3})).structured_content

    async def late(self):
        return len((await self.client.call_tool("late", {"size": 600_000})).structured_content["text"])

    async def text(self, name, arguments=None):
        return (await self.client.call_tool(name, arguments or {})).content[0].text

    async def spoken(self):
        return await self.text("spoken")

    async def fail(self):
        result = await self.client.call_tool("fail", {}, raise_on_error=False)
        return [result.is_error, result.content[0].text]

    async def invalid(self):
        return (await self.client.call_tool("add", {"a": "two", "b": 3}, raise_on_error=False)).is_error

    async def picture(self):
        content = (await self.client.call_tool("picture", {})).content[0]
        return getattr(content, "mime_type", None) or content.mimeType

    async def progress(self):
        seen = []

        async def report(done, total, message):
            seen.append([done, total, message])

        result = await self.client.call_tool("count", {"to": 3}, progress_handler=report)
        return [seen, result.content[0].text]

    async def cancel(self):
        key, waiting = uuid.uuid4().hex, asyncio.Event()

        async def report(done, total, message):
            waiting.set()

        call = asyncio.create_task(self.client.call_tool("wait", {"key": key}, progress_handler=report))
        await asyncio.wait_for(waiting.wait(), 10)
        call.cancel()
        await asyncio.wait({call})
        for _ in range(100):
            if await self.text("was_cancelled", {"key": key}) == "true":
                return True
            await asyncio.sleep(0.1)
        return False

    async def work(self):
        seen = []

        async def report(done, total, message):
            seen.append(message)

        result = await self.client.call_tool(WORK["name"], WORK["arguments"], progress_handler=report)
        return {"seen": parts(seen), "kept": kept(result.meta), "result": result.structured_content}

    async def ask(self):
        return [await self.text("ask", {"message": action}) for action in ("accept", "decline", "cancel")]

    async def offer(self):
        [resource], [template] = await self.client.list_resources(), await self.client.list_resource_templates()
        read = [(await self.client.read_resource(uri))[0].text for uri in ("note://today", "day://monday")]
        got = await self.client.get_prompt("plan", {"day": "monday"})
        found = await self.client.complete(
            PromptReference(type="ref/prompt", name="plan"), {"name": "day", "value": "t"}
        )
        return [str(resource.uri), template.uri_template, read, got.messages[0].content.text, found.values]

    async def sample(self):
        return await self.text("sample")


async def connect(url, run):
    async with Client(url, elicitation_handler=answer, sampling_handler=sample) as client:
        await run(Steps(client))


main(connect)
