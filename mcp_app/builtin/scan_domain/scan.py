"""Runs the steps of a scan concurrently, each with a timeout, and reports each as it ends. Knows no step's contents.

Independent of the tool: `on_step` is called with each finished step, its number and the total number.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial

from mcp_app import outgoing
from mcp_app.builtin.scan_domain.finding import finding
from mcp_app.builtin.scan_domain.grading import report, status_of
from mcp_app.builtin.scan_domain.report import (
    DnsStep,
    FilesStep,
    HeadersStep,
    HttpStep,
    RedirectsStep,
    Report,
    Step,
    TlsStep,
)
from mcp_app.builtin.scan_domain.scope import Scope
from mcp_app.builtin.scan_domain.settings import ScanSettings
from mcp_app.builtin.scan_domain.steps.certificate import check_tls
from mcp_app.builtin.scan_domain.steps.dns_records import check_dns
from mcp_app.builtin.scan_domain.steps.http_versions import check_http
from mcp_app.builtin.scan_domain.steps.redirects import check_redirects
from mcp_app.builtin.scan_domain.steps.security_headers import check_headers
from mcp_app.builtin.scan_domain.steps.well_known import check_files
from mcp_app.builtin.scan_domain.trust import load

log = logging.getLogger(__name__)

NAME_REASONS: frozenset[outgoing.Reason] = frozenset({"no_such_name", "no_address", "no_dns_answer", "refused_address"})
"""Reasons that belong to the name itself: the DNS step reports them once, the other steps are skipped."""

OnStep = Callable[[Step, int, int], Awaitable[None]]
Check = Callable[[], Awaitable[None]]


async def scan(domain: str, settings: ScanSettings, on_step: OnStep, now: datetime | None = None) -> Report:
    """Scan a normalised domain name; the steps in the report are in the order in which they ended.

    Never raises for any behaviour of the scanned servers. An exception of `on_step` ends the scan. Cancellation leaves
    no task behind.
    """
    await asyncio.to_thread(load, settings.ca_file)
    lookup = outgoing.Lookup(settings.rules)
    async with contextlib.aclosing(outgoing.CheckedBackend(lookup)) as backend:
        scope = Scope(domain, settings, now or datetime.now(UTC), lookup, backend)
        return report(domain, await _steps(scope, on_step))


async def _steps(scope: Scope, on_step: OnStep) -> list[Step]:
    """Run all steps; returns them in the order in which they ended."""
    dns, tls, http = DnsStep(), TlsStep(), HttpStep()
    redirects, headers, files = RedirectsStep(), HeadersStep(), FilesStep()
    work: list[tuple[Step, Check]] = [
        (dns, partial(check_dns, dns, scope)),
        (tls, partial(check_tls, tls, scope)),
        (http, partial(check_http, http, scope)),
        (redirects, partial(check_redirects, redirects, scope)),
        (headers, partial(check_headers, headers, scope)),
        (files, partial(check_files, files, scope)),
    ]
    ended: asyncio.Queue[Step] = asyncio.Queue()
    steps: list[Step] = []
    seconds = scope.settings.step_seconds
    try:
        async with asyncio.TaskGroup() as group:
            for step, check in work:
                group.create_task(_bounded(step, check, seconds, ended), name=f"scan_domain {step.step}")
            while len(steps) < len(work):
                steps.append(await ended.get())
                await on_step(steps[-1], len(steps), len(work))
    except BaseExceptionGroup as failed:
        # The steps raise nothing, so this is the one exception of on_step.
        raise failed.exceptions[0] from None
    return steps


async def _bounded(step: Step, check: Check, seconds: float, ended: asyncio.Queue[Step]) -> None:
    """Run one step and put it into `ended`, however it ends. Only cancellation is propagated."""
    begun = time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            await check()
    except TimeoutError:
        step.add(finding("step_timed_out", f"after {seconds:g} s"))
    except outgoing.Unreachable as exc:
        _unreachable(step, exc)
    except Exception as exc:
        # A defect of the step: the scan continues without it, and the log has the traceback.
        log.exception("step %s failed", step.step)
        step.add(finding("step_crashed", type(exc).__name__))
    step.duration_ms = round((time.monotonic() - begun) * 1000)
    step.status = status_of(step)
    ended.put_nowait(step)


def _unreachable(step: Step, exc: outgoing.Unreachable) -> None:
    """Finish a step that could not reach anything: skipped if the name is the cause, which the DNS step reports."""
    step.summary = exc.message
    if exc.reason in NAME_REASONS and step.step != "dns":
        step.status = "skipped"
        step.add(finding("not_scanned", exc.message))
    else:
        step.add(finding(UNREACHABLE[step.step], exc.message))


UNREACHABLE = {
    "dns": "dns_no_answer",
    "tls": "tls_unreachable",
    "http": "https_unreachable",
    "redirects": "http_closed",
    "headers": "headers_unreachable",
    "files": "files_unreachable",
}
"""The finding of each step that could not reach anything."""
