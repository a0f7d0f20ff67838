"""A verifier of one's own: a caller that signs each request with a secret, as webhooks do, and needs no key in it.

Served by `mcp-app serve examples/signed.py:app`.
"""

import hashlib
import hmac
import os
import time

from mcp_app import Access, Context, Request, create_app, errors, tool

SECRET = os.environ.get("SIGNING_SECRET", "only for trying it out").encode()
"""What the caller and this server share."""

SECONDS = 300
"""How old a signature may be: afterwards a copy of the request opens nothing."""


def signed(request: Request) -> Access | None:
    """Who has signed the request; None for one without a signature, so that other verifiers are asked."""
    signature = request.headers.get("x-signature")
    if signature is None:
        return None
    sent = request.headers.get("x-time", "")
    signed_text = b"\n".join((request.method.encode(), request.path.encode(), sent.encode(), request.body))
    right = hmac.new(SECRET, signed_text, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature.encode(), right.encode()):
        raise errors.Unauthorized("The signature is not of this request, or of another secret.")
    if not sent.isdecimal() or abs(time.time() - int(sent)) > SECONDS:
        raise errors.Unauthorized("The signature is too old.", hint="Sign the request anew.")
    return Access("deploys", scopes=frozenset({"deploy"}))


@tool
async def deploy(version: str, ctx: Context) -> str:
    """Deploy a version.

    Args:
        version: what is to be deployed
    """
    return f"{ctx.principal} deploys {version}"


app = create_app(tools=[deploy], verifiers=[signed])
