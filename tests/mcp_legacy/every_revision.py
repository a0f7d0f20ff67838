"""A caller of one endpoint in any revision, so that a test can ask the same of each. No test."""

from __future__ import annotations

from typing import Any

import pytest
from http_sse_client import Old, connected
from legacy_client import BOTH, Events, Stage, decoded

from mcp_app.protocol.mcp.revisions import REVISIONS, STATELESS
from mcp_app.web.messages import Answer

META = "io.modelcontextprotocol/"
VERSIONS = pytest.mark.parametrize("version", REVISIONS)


class Caller:
    """Calls tools of a stage by one revision. `capabilities` are declared where each request declares them."""

    def __init__(self, stage: Stage, version: str, capabilities: dict[str, Any] | None = None) -> None:
        self._stage = stage
        self._version = version
        self._capabilities = capabilities or {}
        self._client: Any = None

    async def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """The response."""
        response: dict[str, Any] = decoded(await self._answer(method, params, "application/json"))
        return response

    async def result(self, method: str, params: dict[str, Any]) -> Any:
        """The result or the error, answered as JSON or on a stream."""
        answer = await self._answer(method, params, BOTH)
        message = decoded(answer) if isinstance(answer.body, bytes) else (await Events(answer).rest())[-1]
        return message["result"] if "result" in message else message["error"]

    async def streamed(self, name: str, **arguments: Any) -> list[dict[str, Any]]:
        """All messages of tools/call with a progress token, the response last."""
        params = {"name": name, "arguments": arguments, "_meta": {"progressToken": "t"}}
        return await Events(await self._answer("tools/call", params, "text/event-stream")).rest()

    async def _answer(self, method: str, params: dict[str, Any], accept: str) -> Answer:
        if self._version != STATELESS:
            self._client = self._client or await self._stage.client(self._version)
            answer: Answer = await self._client.request(method, params, accept=accept)
            return answer
        said = {f"{META}protocolVersion": STATELESS, f"{META}clientCapabilities": self._capabilities}
        meta = {**said, **params.get("_meta", {})}
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
        headers = {"mcp_protocol_version": STATELESS, "mcp_method": method, "mcp_name": _name(params)}
        return await self._stage.ask("POST", message, accept=accept, **headers)

    async def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """The result of tools/call."""
        response = await self.request("tools/call", {"name": name, "arguments": arguments})
        assert "result" in response, response
        result: dict[str, Any] = response["result"]
        return result

    async def schema(self, name: str) -> Any:
        """The listed output schema; None where there is none."""
        tools = (await self.request("tools/list", {}))["result"]["tools"]
        return next(each for each in tools if each["name"] == name).get("outputSchema")


def _name(params: dict[str, Any]) -> str | None:
    """What the request is about, for the header field `Mcp-Name`."""
    return next((params[each] for each in ("name", "uri", "taskId") if each in params), None)


async def client_of(stage: Stage, version: str) -> Caller | Old:
    """Who asks for results by the revision's own transport."""
    return await connected(stage) if version == "2024-11-05" else Caller(stage, version)
