"""Step `headers`: the security headers of the page to which https:// leads, and their evaluation.

Requests and redirects are in `journey.py`; `judge_headers` is pure.
"""

import re

from mcp_app import outgoing
from mcp_app.builtin.scan_domain.fetching import Reply
from mcp_app.builtin.scan_domain.finding import finding
from mcp_app.builtin.scan_domain.quoting import quoted
from mcp_app.builtin.scan_domain.report import Header, HeadersStep
from mcp_app.builtin.scan_domain.scope import Scope
from mcp_app.builtin.scan_domain.steps.journey import travel

SHOWN = frozenset(
    {
        "strict-transport-security",
        "content-security-policy",
        "content-security-policy-report-only",
        "x-content-type-options",
        "referrer-policy",
        "x-frame-options",
        "permissions-policy",
        "cross-origin-opener-policy",
        "cross-origin-embedder-policy",
        "cross-origin-resource-policy",
        "content-type",
        "server",
        "x-powered-by",
        "via",
        "alt-svc",
    }
)
"""Headers reported. Cookies are not: they may identify a session, and only their attributes are judged."""

HSTS_LEAST = 180 * 24 * 3600
"""Seconds: the threshold of common graders; hstspreload.org requires a year."""

_MAX_AGE = re.compile(r'(?:\A|;)\s*max-age\s*=\s*"?(\d{1,18})"?\s*(?=;|\Z)', re.IGNORECASE)
"""RFC 6797, 6.1.1. More than 18 digits is not a number of seconds."""

_VERSION = re.compile(r"/\d|\d\.\d")


async def check_headers(step: HeadersStep, scope: Scope) -> None:
    """Fill the step. Raises Unreachable when https:// does not answer."""
    async with scope.session() as session:
        journey = await travel(session, scope.target("https"), lambda hop: None, scope.settings.ports)
    if journey.reply is None:
        raise outgoing.Unreachable(
            "no_connection", f"https://{scope.domain}/ does not end on a page: {journey.problem}"
        )
    judge_headers(step, journey.reply)


def judge_headers(step: HeadersStep, reply: Reply) -> None:
    """Fill the step from one answer."""
    step.url, step.status_code = quoted(reply.target.url), reply.status
    step.headers = [Header(name=name, value=quoted(value)) for name, value in reply.headers if name in SHOWN]
    if reply.more_headers:
        step.add(finding("headers_many"))
    if reply.target.scheme == "https":  # RFC 6797, 7.2: over HTTP the header is ignored
        _judge_hsts(step, reply.values("strict-transport-security"))
    _judge_csp(step, reply.value("content-security-policy"), reply.value("x-frame-options"))
    if (reply.value("x-content-type-options") or "").strip().lower() != "nosniff":
        step.add(finding("nosniff_missing"))
    if not reply.value("referrer-policy"):
        step.add(finding("referrer_policy_missing"))
    if not reply.value("permissions-policy"):
        step.add(finding("permissions_policy_missing"))
    _judge_cookies(step, reply.values("set-cookie"))
    shown = [value for name in ("server", "x-powered-by") if (value := reply.value(name)) and _VERSION.search(value)]
    if shown:
        step.add(finding("version_shown", quoted(", ".join(shown), 100)))
    step.summary = f"{sum(1 for each in step.findings if each.weight)} of the headers can be better"


def _judge_hsts(step: HeadersStep, values: list[str]) -> None:
    if not values:
        step.add(finding("hsts_missing"))
        return
    # RFC 6797, 8.1: only the first header counts.
    match = _MAX_AGE.search(values[0])
    if match is None:
        step.add(finding("hsts_invalid", quoted(values[0])))
    elif int(match[1]) < HSTS_LEAST:
        step.add(finding("hsts_short", quoted(values[0])))
    else:
        step.add(finding("hsts_ok", quoted(values[0])))


def _judge_csp(step: HeadersStep, policy: str | None, frame_options: str | None) -> None:
    directives = _directives(policy or "")
    if not directives:
        step.add(finding("csp_missing"))
    else:
        scripts = directives.get("script-src", directives.get("default-src"))
        # CSP 3, 6.7.3.2: a nonce or hash switches 'unsafe-inline' off.
        guarded = scripts is not None and (
            any(source.startswith(("'nonce-", "'sha")) for source in scripts)
            or not {"'unsafe-inline'", "*", "http:", "https:", "data:"} & set(scripts)
        )
        step.add(finding("csp_ok" if guarded else "csp_weak"))
    framing = (frame_options or "").strip().lower() in ("deny", "sameorigin")
    if "frame-ancestors" not in directives and not framing:
        step.add(finding("frames_allowed"))


def _directives(policy: str) -> dict[str, list[str]]:
    """CSP 3, 2.2.1: separated by `;`, and of the same directive only the first counts."""
    found: dict[str, list[str]] = {}
    for part in re.split("[;,]", policy):
        words = part.lower().split()
        if words:
            found.setdefault(words[0], words[1:])
    return found


def _judge_cookies(step: HeadersStep, cookies: list[str]) -> None:
    unsafe = []
    for cookie in cookies:
        name, *attributes = cookie.split(";")
        present = {attribute.partition("=")[0].strip().lower() for attribute in attributes}
        if not {"secure", "httponly", "samesite"} <= present:
            unsafe.append(quoted(name.partition("=")[0].strip(), 50))
    if unsafe:
        step.add(finding("cookie_unsafe", ", ".join(unsafe[:5])))
