"""Computes the grade and the report from the steps. Pure: the same steps give the same report.

The score is 100 less the weights of all findings, at least 0. A is 90 and more, then B, C, D and E by tens, F below 50.
A cause that shows in several steps (no HTTPS) costs once: of findings with the same cause only the heaviest counts.
"""

from collections.abc import Sequence

from mcp_app.builtin.scan_domain.finding import Finding, Status
from mcp_app.builtin.scan_domain.report import Grade, RankedFinding, Report, Step, StepResult

GRADES: tuple[tuple[int, Grade], ...] = ((90, "A"), (80, "B"), (70, "C"), (60, "D"), (50, "E"), (0, "F"))

SAME_CAUSE = (frozenset({"tls_unreachable", "https_unreachable"}),)
"""A server without TLS is without HTTPS as well."""

VERDICTS: dict[Grade, str] = {
    "A": "In very good order.",
    "B": "In good order, with a few things to better.",
    "C": "In fair order.",
    "D": "In need of work.",
    "E": "In need of much work.",
    "F": "Failed.",
    "unknown": "Nothing could be measured.",
}

_WORST_FIRST: tuple[Status, ...] = ("fail", "warn", "ok", "info")


def status_of(step: StepResult) -> Status:
    """A step is as good as its worst finding; only notes make it `info`. A skipped step stays skipped."""
    if step.status == "skipped":
        return "skipped"
    present = {each.status for each in step.findings}
    return next((status for status in _WORST_FIRST if status in present), "info")


def report(domain: str, steps: Sequence[Step]) -> Report:
    """The report of a scan whose steps ended in this order."""
    ranked = [
        RankedFinding(**each.model_dump(), step=step.step)
        for step in steps
        for each in step.findings
        if each.code != "not_scanned"  # not about the site, and already shown by the skipped step
    ]
    ranked.sort(key=lambda each: (-each.weight, _WORST_FIRST.index(each.status)))
    measured = _measured(steps)
    score = score_of(ranked) if measured else None
    grade = next(grade for least, grade in GRADES if score >= least) if score is not None else "unknown"
    return Report(
        domain=domain,
        grade=grade,
        score=score,
        verdict=_verdict(grade, ranked),
        findings=ranked,
        steps=list(steps),
    )


def score_of(findings: Sequence[Finding]) -> int:
    """100 less the weights, at least 0."""
    lost = sum(each.weight for each in findings)
    for cause in SAME_CAUSE:
        weights = [each.weight for each in findings if each.code in cause]
        lost -= sum(weights) - max(weights, default=0)
    return max(0, 100 - lost)


def _measured(steps: Sequence[Step]) -> bool:
    """Whether the scan has enough data for a grade: DNS has no name or address, or the site was at least contacted."""
    codes = {each.code for step in steps for each in step.findings}
    if codes & {"no_such_name", "no_address"}:
        return True
    return any(step.status != "skipped" for step in steps if step.step in ("tls", "http"))


def _verdict(grade: Grade, findings: Sequence[Finding]) -> str:
    reasons = [each.message for each in findings if each.status in ("fail", "warn")][:3]
    return " ".join([VERDICTS[grade], *reasons])
