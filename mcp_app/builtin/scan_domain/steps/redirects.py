"""Step `redirects`: the redirects from plain HTTP, hop by hop. They are followed in `journey.py`."""

from mcp_app.builtin.scan_domain.finding import finding
from mcp_app.builtin.scan_domain.report import RedirectsStep
from mcp_app.builtin.scan_domain.scope import Scope
from mcp_app.builtin.scan_domain.steps.journey import End, Journey, travel

ENDS: dict[End, str] = {
    "loop": "redirect_loop",
    "too_many": "redirect_too_many",
    "refused": "redirect_refused",
    "broken": "redirect_broken",
}


async def check_redirects(step: RedirectsStep, scope: Scope) -> None:
    """Fill the step. Raises Unreachable when plain HTTP does not answer, which is not a fault."""
    async with scope.session() as session:
        journey = await travel(session, scope.target("http"), step.hops.append, scope.settings.ports)
    _judge(step, journey)
    step.summary = f"{len(step.hops) - 1} redirects, ends at {step.hops[-1].url}"


def _judge(step: RedirectsStep, journey: Journey) -> None:
    if journey.end != "page":
        step.add(finding(ENDS[journey.end], journey.problem))
    if journey.downgraded:
        step.add(finding("redirect_downgrade"))
    if journey.upgraded_by is None:
        # A journey that was cut short may have led to HTTPS further on: the end's own finding stands for it.
        if journey.end == "page":
            step.add(finding("https_redirect_missing"))
        return
    if journey.reply is not None and journey.reply.target.scheme == "https":
        step.add(finding("https_redirect", journey.reply.target.url))
    if journey.upgraded_by not in (301, 308):  # RFC 9110, 15.4: the two permanent ones
        step.add(finding("redirect_temporary", str(journey.upgraded_by)))
