"""Step `http`: which versions of HTTP the site speaks, by speaking them, and how its start page answers.

HTTP/3 is only read from Alt-Svc. Headers of security are judged in `security_headers.py`.
"""

import asyncio
import re

from mcp_app import outgoing
from mcp_app.builtin.scan_domain.fetching import Reply
from mcp_app.builtin.scan_domain.finding import finding
from mcp_app.builtin.scan_domain.quoting import quoted
from mcp_app.builtin.scan_domain.report import HttpStep
from mcp_app.builtin.scan_domain.scope import Scope

_H3 = re.compile(r'(?:\A|[,\s])h3(?:-\d+)?\s*="', re.IGNORECASE)
"""RFC 7838, 3: protocol-id="host:port"."""


async def check_http(step: HttpStep, scope: Scope) -> None:
    """Fill the step. Raises Unreachable when HTTPS does not answer at all."""
    modern, old = await asyncio.gather(_start_page(scope, http2=True), _start_page(scope, http2=False))
    replies = [each for each in (modern, old) if isinstance(each, Reply)]
    if not replies:
        # Both failed; the first says why.
        raise modern if isinstance(modern, outgoing.Unreachable) else RuntimeError("no reply and no reason")
    step.versions = sorted({each.version for each in replies})
    step.add(finding("https_works", ", ".join(step.versions)))
    if "HTTP/2" not in step.versions:
        step.add(finding("http2_missing"))
    if "HTTP/1.1" not in step.versions:
        step.add(finding("http11_missing"))
    _describe(step, replies[0])
    step.summary = f"{', '.join(step.versions)}: {step.status_code}"


def _describe(step: HttpStep, reply: Reply) -> None:
    step.status_code = reply.status
    step.server = quoted(server, 100) if (server := reply.value("server")) else None
    if alt_svc := reply.value("alt-svc"):
        step.alt_svc = quoted(alt_svc)
        if _H3.search(alt_svc):
            step.add(finding("http3_advertised", step.alt_svc))
    if reply.status >= 500:
        step.add(finding("server_error", str(reply.status)))
    elif reply.status >= 400:
        step.add(finding("client_error", str(reply.status)))


async def _start_page(scope: Scope, *, http2: bool) -> Reply | outgoing.Unreachable:
    try:
        async with scope.session(http2=http2) as session:
            return await session.get(scope.target("https"))
    except outgoing.Unreachable as exc:
        return exc
