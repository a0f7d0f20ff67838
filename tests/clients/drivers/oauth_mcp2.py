"""The official Python SDK, 2.x, and its sign-in: `oauth_mcp2.py URL` prints what `whoami` says."""

import asyncio
import sys
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

CALLBACK = "http://127.0.0.1:9/callback"


class Memory:
    tokens = client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


async def main(url):
    found = {}

    async def visit(address):
        """As a browser does, as far as the client's own address."""
        async with httpx2.AsyncClient() as browser:
            while not address.startswith(CALLBACK):
                address = str(httpx2.URL(address).join((await browser.get(address)).headers["location"]))
        found.update({name: values[0] for name, values in parse_qs(urlsplit(address).query).items()})

    async def came_back():
        return AuthorizationCodeResult(code=found["code"], state=found.get("state"), iss=found.get("iss"))

    metadata = OAuthClientMetadata(
        client_name="oauth_mcp2",
        redirect_uris=[CALLBACK],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        token_endpoint_auth_method="none",
    )
    auth = OAuthClientProvider(url, metadata, Memory(), visit, came_back)
    async with (
        httpx2.AsyncClient(auth=auth, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        print((await client.call_tool("whoami", {})).content[0].text)


asyncio.run(main(sys.argv[1]))
