"""An issuer of a test's own: keys, tokens that it signs, and the answers it gives. Nothing is expected here."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry, serialize_compact

ISSUER = "https://id.test/realms/tools"
SERVER = "https://tools.test"
RESOURCE = f"{SERVER}/mcp"
NOW = 1_800_000_000.0

RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
"""Made once: a key takes as long as a thousand tokens."""
EC = ECKey.generate_key("P-256", {"kid": "ec-1"})
OTHER_EC = ECKey.generate_key("P-256", {"kid": "ec-2"})
EDWARDS = OKPKey.generate_key("Ed25519", {"kid": "ed-1"})


class Lax(JWSRegistry):
    """Signs whatever it is told to."""

    def check_header(self, header: Any) -> None:
        pass

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


def claims(**changes: Any) -> dict[str, Any]:
    """Those of a good token; None takes one away."""
    good = {"iss": ISSUER, "sub": "alice", "aud": RESOURCE, "exp": NOW + 600, "iat": NOW, "scope": "read", "jti": "1"}
    return {name: value for name, value in (good | changes).items() if value is not None}


def signed(payload: Mapping[str, Any] | bytes, key: Key = EC, algorithm: str = "ES256", **header: Any) -> str:
    """A token; None takes a header's parameter away."""
    given = {"alg": algorithm, "kid": key.kid, "typ": "at+jwt"} | header
    given = {name: value for name, value in given.items() if value is not None}
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return serialize_compact(given, body, key, registry=Lax())


def part(value: Any) -> str:
    """One part of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def published(*keys: Key) -> dict[str, Any]:
    """The document with their public parts."""
    return {"keys": [{**key.as_dict(private=False), "kid": key.kid, "use": "sig"} for key in keys]}


class Clock:
    """Seconds that a test moves."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Web:
    """The network, as an issuer behind it answers: each address has an answer, and what was asked is kept."""

    def __init__(self, answers: Mapping[str, Any] | None = None) -> None:
        """An answer is a value, sent as JSON; (status, header fields, body); an exception; or what makes one."""
        self.asked: list[str] = []
        self.forms: list[str] = []
        self.answers: dict[str, Any] = {
            f"{ISSUER}/keys": published(EC),
            "https://id.test/.well-known/oauth-authorization-server/realms/tools": {
                "issuer": ISSUER,
                "jwks_uri": f"{ISSUER}/keys",
            },
        } | dict(answers or {})

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        self.asked.append(url)
        self.forms.append((await request.aread()).decode())
        answer = self.answers.get(url, (404, {}, b""))
        if callable(answer):
            answer = answer(request)
            if hasattr(answer, "__await__"):
                answer = await answer
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, httpx.Response):
            return answer
        status, headers, body = answer if isinstance(answer, tuple) else (200, {}, json.dumps(answer).encode())
        return httpx.Response(status, headers=headers, content=_sent(body))

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self)


async def _sent(body: bytes) -> AsyncIterator[bytes]:
    for begin in range(0, len(body), 65536):
        yield body[begin : begin + 65536]
