"""The MCP toolset of pydantic-ai, without a model: `use_pydantic_ai.py URL STEP…`."""

from driving import main
from pydantic_ai import ModelRetry
from pydantic_ai.mcp import MCPToolset


class Steps:
    def __init__(self, toolset):
        self.toolset = toolset

    async def list(self):
        return sorted(tool.name for tool in await self.toolset.list_tools())

    async def add(self):
        return await self.toolset.direct_call_tool("add", {"a": 2, "b": 3})

    async def late(self):
        return len((await self.toolset.direct_call_tool("late", {"size": 600_000}))["text"])

    async def spoken(self):
        return await self.toolset.direct_call_tool("spoken", {})

    async def fail(self):
        try:
            await self.toolset.direct_call_tool("fail", {})
        except ModelRetry as error:
            return [True, str(error)]
        return [False, ""]

    async def picture(self):
        return (await self.toolset.direct_call_tool("picture", {})).media_type


async def connect(url, run):
    async with MCPToolset(url) as toolset:
        await run(Steps(toolset))


main(connect)
