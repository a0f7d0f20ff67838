"""Rejects a WebSocket handshake, on HTTP/1.1 or HTTP/2, with the same error object as every other rejection.

No WebSocket is ever accepted: SSE needs no upgrade, and passes proxies that WebSockets do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent

from ...protocol.errors import InvalidRequest
from ..messages import error_answer
from .answer import encode_headers


async def refuse_handshake(scope: Mapping[str, Any], receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """RFC 6455, 4.2.2: a server that rejects a handshake responds with an HTTP error."""
    await receive()
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        # ASGI: without the extension, a close before accept is a 403.
        await send(cast(ASGISendEvent, {"type": "websocket.close", "code": 1000, "reason": None}))
        return
    answer = error_answer(
        InvalidRequest("There is no WebSocket here.", hint="POST the call and read the event stream that answers.")
    )
    start = {
        "type": "websocket.http.response.start",
        "status": answer.status,
        "headers": [*encode_headers(answer.headers)],
    }
    await send(cast(ASGISendEvent, start))
    body = {"type": "websocket.http.response.body", "body": answer.body, "more_body": False}
    await send(cast(ASGISendEvent, body))
