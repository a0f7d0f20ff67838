"""Who calls in `make cost ARGS=--key` and `ARGS=--token`: the settings by which a server knows it, and what it sends.

Nothing is counted here.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple

from joserfc.jwk import RSAKey
from joserfc.jws import serialize_compact

PUBLIC_URL = "http://127.0.0.1"
COMMAND_SECONDS = 60.0
LIFE_SECONDS = 86_400


class Known(NamedTuple):
    """A caller: settings of the server, and the field Authorization of each call; both empty for nobody."""

    environment: tuple[tuple[str, str], ...] = ()
    authorization: str = ""


@contextmanager
def with_key(directory: Path) -> Iterator[Known]:
    """An API key in a file of its own."""
    file = directory / "keys.json"
    command = [
        sys.executable,
        "-m",
        "mcp_app",
        "keys",
        "add",
        "bench",
        "--file",
        str(file),
        "--scopes",
        "read",
        "--json",
    ]
    made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=COMMAND_SECONDS)
    yield Known((("MCP_APP_KEYS", str(file)),), f"Bearer {json.loads(made.stdout)['key']}")


@contextmanager
def with_token() -> Iterator[Known]:
    """A token of 700 characters, by RS256, as most authorization servers sign, whose key is fetched from here."""
    key = RSAKey.generate_key(2048, {"kid": "bench"})
    document = json.dumps({"keys": [{**key.as_dict(private=False), "kid": "bench"}]}).encode()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(document)))
            self.end_headers()
            self.wfile.write(document)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    with HTTPServer(("127.0.0.1", 0), Keys) as serving:
        thread = threading.Thread(target=serving.serve_forever, daemon=True)
        thread.start()
        issuer = f"http://127.0.0.1:{serving.server_port}"
        now = int(time.time())
        claims = {
            "iss": issuer,
            "sub": "4f9d0a3e-7a51-4a3c-9b59-9df5b8f0c2aa",
            "aud": PUBLIC_URL,
            "iat": now,
            "exp": now + LIFE_SECONDS,
            "scope": "read write",
            "client_id": "8f14e45f-ceea-467f-9b59-0c5b8f0c2aaa",
            "jti": "c9f0f895-fb98-4b91-99f5-1fd0297e236d",
        }
        token = serialize_compact({"alg": "RS256", "kid": "bench", "typ": "at+jwt"}, json.dumps(claims), key)
        try:
            yield Known(
                (("MCP_APP_OAUTH_ISSUERS", f"{issuer}={issuer}/keys"), ("MCP_APP_PUBLIC_URL", PUBLIC_URL)),
                f"Bearer {token}",
            )
        finally:
            serving.shutdown()
            thread.join()
