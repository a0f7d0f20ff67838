"""Step `files`: the files of a site for robots, researchers and agents: which exist, and which are valid.

Fetches and reports; the validity rules are in `file_formats.py`.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from mcp_app import outgoing
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


@dataclass(frozen=True)
class WellKnownFile:
    """A file to look for, and the finding for its absence."""

    path: str
    judge: Judge
    missing: str | None = "file_missing"
    """None: the absence is judged together with the file's other path."""


SECURITY_TXT = "/.well-known/security.txt"
OLD_SECURITY_TXT = "/security.txt"

FILES = (
    WellKnownFile("/robots.txt", robots_txt),
    WellKnownFile("/llms.txt", llms_txt),
    WellKnownFile(SECURITY_TXT, security_txt, missing=None),
    WellKnownFile(OLD_SECURITY_TXT, security_txt, missing=None),
    WellKnownFile("/.well-known/mcp.json", mcp_json),
    WellKnownFile("/mcp.json", mcp_json),
    WellKnownFile("/.well-known/mcp/server-card.json", server_card),
    WellKnownFile("/.well-known/ai-catalog.json", ai_catalog),
)


async def check_files(step: FilesStep, scope: Scope) -> None:
    """Fill the step. Raises Unreachable when none of the files could be requested."""
    failures: list[outgoing.Unreachable] = []
    async with scope.session() as session, asyncio.TaskGroup() as group:
        for file in FILES:
            group.create_task(_check_file(step, scope, session, file, failures))
    if len(failures) == len(FILES):
        step.files.clear()
        step.findings.clear()
        raise failures[0]
    order = [file.path for file in FILES]
    step.files.sort(key=lambda each: order.index(each.path))
    _judge_security_txt_places(step)
    step.summary = f"{sum(1 for each in step.files if each.present)} of {len(step.files)} files are there"


async def _check_file(
    step: FilesStep, scope: Scope, session: Session, file: WellKnownFile, failures: list[outgoing.Unreachable]
) -> None:
    try:
        target = scope.target("https", file.path)
        journey = await travel(session, target, lambda hop: None, scope.settings.ports)
    except outgoing.Unreachable as exc:
        failures.append(exc)
        step.files.append(SiteFile(path=file.path, present=False, problem=exc.message))
        return
    if journey.reply is None:
        step.files.append(SiteFile(path=file.path, present=False, problem=quoted(journey.problem)))
        return
    entry, findings = judge_file(file, journey.reply, scope.now)
    step.files.append(entry)
    step.add(*findings)


def judge_file(file: WellKnownFile, reply: Reply, now: datetime) -> tuple[SiteFile, list[Finding]]:
    """One answer: absent, valid or not valid. Pure."""
    content_type = reply.value("content-type") or ""
    entry = SiteFile(
        path=file.path,
        present=reply.status == 200,
        status_code=reply.status,
        content_type=quoted(content_type, 100) or None,
    )
    # Many sites answer every path with their start page, which is not the file.
    if entry.present and content_type.lower().startswith(("text/html", "application/xhtml")):
        entry.present, entry.problem = False, "an HTML page is answered instead"
    if not entry.present:
        return entry, [finding(file.missing, file.path)] if file.missing else []
    entry.bytes = len(reply.body)
    judged = _judge_content(file, reply, now)
    entry.valid, entry.problem, entry.fields = judged.problem is None, judged.problem, judged.fields
    findings = [finding("file_cut", file.path)] if reply.cut else []
    if judged.problem is None:
        findings.append(finding("file_found", file.path))
    else:
        findings.append(finding(judged.code, f"{file.path}: {judged.problem}"))
    return entry, findings


def _judge_content(file: WellKnownFile, reply: Reply, now: datetime) -> Judged:
    try:
        text = reply.body.decode("utf-8-sig")
    except UnicodeDecodeError:
        if not reply.cut:
            return Judged("it is not UTF-8")
        text = reply.body.decode("utf-8", "replace")  # it may have been cut inside a character
    return file.judge(text, now)


def _judge_security_txt_places(step: FilesStep) -> None:
    present = {each.path for each in step.files if each.present}
    answered = {each.path for each in step.files if each.status_code is not None}
    if SECURITY_TXT in present:
        return
    if OLD_SECURITY_TXT in present:
        step.add(finding("security_txt_misplaced"))
    elif {SECURITY_TXT, OLD_SECURITY_TXT} <= answered:
        step.add(finding("security_txt_missing"))
