"""SPF and DMARC, read from TXT records that were already fetched. Pure: texts in, findings out."""

import re

from mcp_app.builtin.scan_domain.finding import finding
from mcp_app.builtin.scan_domain.quoting import quoted
from mcp_app.builtin.scan_domain.report import DnsStep

_SPF = re.compile(r"v=spf1(?: |\Z)", re.IGNORECASE)
"""RFC 7208, 4.5: the version is the complete first term."""

_OPEN = re.compile(r"(?:\A| )\+?all(?: |\Z)", re.IGNORECASE)

_DMARC = re.compile(r"v\s*=\s*DMARC1\s*(?:;|\Z)")
"""RFC 7489, 6.4: the version comes first and is case-sensitive."""


def judge_mail(step: DnsStep, texts: list[str] | None, dmarc_texts: list[str] | None, *, has_mx: bool) -> None:
    """Add SPF and DMARC to the step; None stands for a failed query, which gives no finding."""
    if texts is not None:
        _judge_spf(step, [text for text in texts if _SPF.match(text)], has_mx=has_mx)
    if dmarc_texts is not None:
        _judge_dmarc(step, [text for text in dmarc_texts if _DMARC.match(text)])


def _judge_spf(step: DnsStep, records: list[str], *, has_mx: bool) -> None:
    if not records:
        step.add(
            finding("spf_missing", None if has_mx else "The name takes no mail; others may still send in its name.")
        )
        return
    step.spf = quoted(records[0])
    if len(records) > 1:
        step.add(finding("spf_many", f"{len(records)} records"))
    elif _OPEN.search(records[0]):
        step.add(finding("spf_open", step.spf))
    else:
        step.add(finding("spf_ok", step.spf))


def _judge_dmarc(step: DnsStep, records: list[str]) -> None:
    if not records:
        step.add(finding("dmarc_missing"))
        return
    step.dmarc = quoted(records[0])
    if len(records) > 1:
        step.add(finding("dmarc_many", f"{len(records)} records"))
        return
    policy = _tags(records[0]).get("p", "").lower()
    if policy in ("quarantine", "reject"):
        step.add(finding("dmarc_ok", step.dmarc))
    else:
        step.add(finding("dmarc_none" if policy == "none" else "dmarc_invalid", step.dmarc))


def _tags(record: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}
