"""The MCP client of openai-agents, without a model: `use_openai_agents.py URL STEP…`."""

from agents.mcp import MCPServerStreamableHttp
from driving import main


class Steps:
    def __init__(self, server):
        self.server = server

    async def list(self):
        return sorted(tool.name for tool in await self.server.list_tools())

    async def call(self, name, arguments=None):
        return await self.server.call_tool(name, arguments or {})

    async def add(self):
        return (await self.call("add", {"a": 2, "b": 3})).structured_content

    async def late(self):
        return len((await self.call("late", {"size": 600_000})).structured_content["text"])

    async def spoken(self):
        return (await self.call("spoken")).content[0].text

    async def fail(self):
        result = await self.call("fail")
        return [result.is_error, result.content[0].text]

    async def picture(self):
        return (await self.call("picture")).content[0].mime_type


async def connect(url, run):
    async with MCPServerStreamableHttp({"url": url}, client_session_timeout_seconds=20) as server:
        await run(Steps(server))


main(connect)
