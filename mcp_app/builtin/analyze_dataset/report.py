"""The result: all findings, or the most useful ones that fit what the caller can take, and what was left out. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import get_args

from mcp_app.builtin.analyze_dataset.quoting import shown
from mcp_app.builtin.analyze_dataset.shapes import About, Analysis, DataFinding

MAX_CHARACTERS = 100_000
"""Of a result as JSON, by default: about 25,000 tokens."""

_FIRST: tuple[About, ...] = (
    "schema",
    "unread",
    "nulls",
    "duplicates",
    "dates",
    "correlations",
    "outliers",
    "distinct",
    "range",
    "histogram",
)
"""What is kept where not everything fits. A caller can ask for the rest by name."""

_TEXT_SHARE = 4
"""A quarter of the characters is for the text, which models without structured content read."""

_SQL_IN_TEXT = 400
"""Characters of a statement that the text repeats. A longer one is in the data."""

_ROWS_KEPT = 10
"""Of the table of a finding that is too large as a whole."""

_NAMED = 10
"""Columns that a notice names."""

_NOTICE_ROOM = 1_500


def report(
    source: str,
    *,
    row_count: int,
    column_count: int,
    findings: Sequence[DataFinding],
    remarks: Sequence[str],
    left_out: Sequence[str],
    max_characters: int,
) -> tuple[Analysis, str]:
    """The result and its text, together at most `max_characters`. `remarks` say how the data
    was read, `left_out` what was not looked at."""
    text = _text(source, row_count, column_count, findings, [*remarks, *left_out], max_characters // _TEXT_SHARE)
    room = max_characters - len(text) - _NOTICE_ROOM - sum(len(each) + 1 for each in [*remarks, *left_out])
    kept: dict[int, DataFinding] = {}
    for number in sorted(range(len(findings)), key=lambda each: (_FIRST.index(findings[each].about), each)):
        for form in _forms(findings[number]):
            size = len(form.model_dump_json()) + 1
            if size <= room:
                kept[number] = form
                room -= size
                break
    left = [finding for number, finding in enumerate(findings) if kept.get(number) != finding]
    left_out = [*left_out, *([_notice(left, max_characters)] if left else [])]
    analysis = Analysis(
        source=source,
        row_count=row_count,
        column_count=column_count,
        findings=[kept[number] for number in sorted(kept)],
        truncated=bool(left_out),
        notice=" ".join([*remarks, *left_out]) or None,
    )
    return analysis, text


def _forms(finding: DataFinding) -> list[DataFinding]:
    """The finding, and shorter forms of it."""
    forms = [finding]
    if finding.table is not None and len(finding.table.rows) > _ROWS_KEPT:
        rows = finding.table.rows[:_ROWS_KEPT]
        notice = f"The first {len(rows)} of {finding.table.row_count:,}."
        cut = finding.table.model_copy(update={"rows": rows, "truncated": True, "notice": notice})
        forms.append(finding.model_copy(update={"table": cut}))
    without = f"-- left out here: {len(finding.sql):,} characters; with fewer columns it is shorter"
    if len(finding.sql) > len(without):
        forms.append(forms[-1].model_copy(update={"sql": without}))
    return forms


def _notice(left: Sequence[DataFinding], max_characters: int) -> str:
    by_about: dict[About, list[str | None]] = defaultdict(list)
    for each in left:
        by_about[each.about].append(each.column)
    parts = []
    for about in get_args(About):
        if about in by_about:
            names = [shown(name, 40) for name in by_about[about] if name is not None]
            named = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
            parts.append(f"{about} ({named})" if names else about)
    asked = ", ".join(f'"{about}"' for about in get_args(About) if about in by_about)
    return (
        f"Left out or cut, to stay below {max_characters:,} characters: {'; '.join(parts)}."
        f" Ask for it with findings=[{asked}], columns=[…], or a larger max_characters."
    )[:_NOTICE_ROOM]


def _text(
    source: str, rows: int, columns: int, findings: Sequence[DataFinding], remarks: Sequence[str], most: int
) -> str:
    lines = [f"{source}: {rows:,} rows, {columns:,} columns.", *remarks]
    room = most - sum(len(line) + 1 for line in lines)
    kept: dict[int, str] = {}
    for number in sorted(range(len(findings)), key=lambda each: (_FIRST.index(findings[each].about), each)):
        finding = findings[number]
        sql = f"\n  {finding.sql}" if len(finding.sql) <= _SQL_IN_TEXT else ""
        line = f"- {finding.title}{sql}"
        if len(line) + 1 <= room:
            kept[number] = line
            room -= len(line) + 1
    if len(kept) < len(findings):
        lines.append(f"({len(findings) - len(kept)} findings are in the data only, or left out.)")
    return "\n".join([*lines, *(kept[number] for number in sorted(kept))])
