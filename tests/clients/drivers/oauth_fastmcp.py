"""fastmcp's client and its sign-in, in $BROWSER: `oauth_fastmcp.py URL` prints what `whoami` says."""

import asyncio
import sys

from fastmcp import Client
from fastmcp.client.auth import OAuth


async def main(url):
    async with Client(url, auth=OAuth()) as client:
        print((await client.call_tool("whoami", {})).content[0].text)


asyncio.run(main(sys.argv[1]))
