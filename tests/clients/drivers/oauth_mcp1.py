"""The official Python SDK, 1.x, over the standard streams of a bridge that signs in: `oauth_mcp1.py COMMAND…`."""

import asyncio
import os
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main(command, *arguments):
    started = StdioServerParameters(command=command, args=arguments, env=dict(os.environ))
    async with stdio_client(started) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        print((await session.call_tool("whoami", {})).content[0].text)


asyncio.run(main(*sys.argv[1:]))
