"""langchain-mcp-adapters, without a model: `use_langchain.py URL STEP…`."""

from driving import main
from langchain_core.tools import ToolException
from langchain_mcp_adapters.callbacks import Callbacks
from langchain_mcp_adapters.client import MultiServerMCPClient
from mcp.types import ElicitResult


async def answer(context, params, about):
    """As the message says."""
    return ElicitResult(action=params.message, content={"name": "Ada"} if params.message == "accept" else None)


class Steps:
    def __init__(self, tools):
        self.tools = {tool.name: tool for tool in tools}

    async def list(self):
        return sorted(self.tools)

    async def call(self, name, arguments=None):
        """A call as a model makes it, whose answer has the content for the model and the structured output."""
        return await self.tools[name].ainvoke({"type": "tool_call", "id": "1", "name": name, "args": arguments or {}})

    async def add(self):
        return (await self.call("add", {"a": 2, "b": 3})).artifact["structured_content"]

    async def late(self):
        return len((await self.call("late", {"size": 600_000})).artifact["structured_content"]["text"])

    async def spoken(self):
        return (await self.call("spoken")).content[0]["text"]

    async def fail(self):
        try:
            answer = await self.call("fail")
        except ToolException as error:
            return [True, str(error)]
        return [answer.status == "error", answer.content[0]["text"]]

    async def picture(self):
        return (await self.call("picture")).content[0]["mime_type"]

    async def ask(self):
        given = [await self.call("ask", {"message": action}) for action in ("accept", "decline", "cancel")]
        return [each.content[0]["text"] for each in given]


async def connect(url, run):
    connections = {"served": {"transport": "streamable_http", "url": url}}
    client = MultiServerMCPClient(connections, callbacks=Callbacks(on_elicitation=answer))
    await run(Steps(await client.get_tools()))


main(connect)
