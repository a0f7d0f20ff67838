"""Step `files`: the files by which a site speaks to robots, researchers and agents: which are there, which valid?

Fetches and reports; what makes each file valid is in `file_formats.py`.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from mcp_app.builtin.scan_domain.fetching import Reply, Session
from mcp_app.builtin.scan_domain.finding import Finding, finding
from mcp_app.builtin.scan_domain.quoting import quoted
from mcp_app.builtin.scan_domain.report import FilesStep, SiteFile
from mcp_app.builtin.scan_domain.scope import Scope
from mcp_app.builtin.scan_domain.steps.file_formats import (
    Judge,
    Judged,
    ai_catalog,
    llms_txt,
    mcp_json,
    robots_txt,
    security_txt,
    server_card,
)
from mcp_app.builtin.scan_domain.steps.journey import travel
from mcp_app.builtin.scan_domain.unreachable import Unreachable


@dataclass(frozen=True)
class Wanted:
    """A file to look for, and what its absence is called."""

    path: str
    judge: Judge
    missing: str | None = "file_missing"
    """None: another path of the same file speaks for it."""


SECURITY_TXT = "/.well-known/security.txt"
OLD_SECURITY_TXT = "/security.txt"

WANTED = (
    Wanted("/robots.txt", robots_txt),
    Wanted("/llms.txt", llms_txt),
    Wanted(SECURITY_TXT, security_txt, missing=None),
    Wanted(OLD_SECURITY_TXT, security_txt, missing=None),
    Wanted("/.well-known/mcp.json", mcp_json),
    Wanted("/mcp.json", mcp_json),
    Wanted("/.well-known/mcp/server-card.json", server_card),
    Wanted("/.well-known/ai-catalog.json", ai_catalog),
)


async def check_files(step: FilesStep, scope: Scope) -> None:
    """Fill the step. Raises Unreachable when none of the files could be asked for."""
    failures: list[Unreachable] = []
    async with scope.session() as session, asyncio.TaskGroup() as group:
        for wanted in WANTED:
            group.create_task(_one(step, scope, session, wanted, failures))
    if len(failures) == len(WANTED):
        step.files.clear()
        step.findings.clear()
        raise failures[0]
    order = [wanted.path for wanted in WANTED]
    step.files.sort(key=lambda each: order.index(each.path))
    _judge_security_txt_places(step)
    step.summary = f"{sum(1 for each in step.files if each.present)} of {len(step.files)} files are there"


async def _one(step: FilesStep, scope: Scope, session: Session, wanted: Wanted, failures: list[Unreachable]) -> None:
    try:
        target = scope.target("https", wanted.path)
        journey = await travel(session, target, lambda hop: None, scope.settings.ports)
    except Unreachable as exc:
        failures.append(exc)
        step.files.append(SiteFile(path=wanted.path, present=False, problem=exc.message))
        return
    if journey.reply is None:
        step.files.append(SiteFile(path=wanted.path, present=False, problem=quoted(journey.problem)))
        return
    entry, findings = judge_file(wanted, journey.reply, scope.now)
    step.files.append(entry)
    step.add(*findings)


def judge_file(wanted: Wanted, reply: Reply, now: datetime) -> tuple[SiteFile, list[Finding]]:
    """One answer: absent, valid or not valid. Pure."""
    content_type = reply.value("content-type") or ""
    entry = SiteFile(
        path=wanted.path,
        present=reply.status == 200,
        status_code=reply.status,
        content_type=quoted(content_type, 100) or None,
    )
    # Many sites answer every path with their start page: that is not the file.
    if entry.present and content_type.lower().startswith(("text/html", "application/xhtml")):
        entry.present, entry.problem = False, "an HTML page is answered instead"
    if not entry.present:
        return entry, [finding(wanted.missing, wanted.path)] if wanted.missing else []
    entry.bytes = len(reply.body)
    judged = _judged(wanted, reply, now)
    entry.valid, entry.problem, entry.fields = judged.problem is None, judged.problem, judged.fields
    findings = [finding("file_cut", wanted.path)] if reply.cut else []
    if judged.problem is None:
        findings.append(finding("file_found", wanted.path))
    else:
        findings.append(finding(judged.code, f"{wanted.path}: {judged.problem}"))
    return entry, findings


def _judged(wanted: Wanted, reply: Reply, now: datetime) -> Judged:
    try:
        text = reply.body.decode("utf-8-sig")
    except UnicodeDecodeError:
        if not reply.cut:
            return Judged("it is not UTF-8")
        text = reply.body.decode("utf-8", "replace")  # it may have been cut inside a character
    return wanted.judge(text, now)


def _judge_security_txt_places(step: FilesStep) -> None:
    present = {each.path for each in step.files if each.present}
    answered = {each.path for each in step.files if each.status_code is not None}
    if SECURITY_TXT in present:
        return
    if OLD_SECURITY_TXT in present:
        step.add(finding("security_txt_misplaced"))
    elif {SECURITY_TXT, OLD_SECURITY_TXT} <= answered:
        step.add(finding("security_txt_missing"))
