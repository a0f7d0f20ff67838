"""The result: all findings, or the most useful ones that fit what the caller can take, and what was left out. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import get_args

from pydantic_core import to_json

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

_NAMED = (10, 3, 0)
"""Columns of each kind that a notice names: as many of them as there is room for."""

_NOTE_SHARE = 8
"""An eighth of the characters each for the remarks, which the text has as well, and for what the notice says of what
does not fit: with a whole result of 4,000 the names of all kinds fit it."""

_NOTICE_CHARACTERS = 1_500
"""More of a notice nobody reads."""


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
    notes = _first_notes([*remarks, *left_out], max_characters // _NOTE_SHARE)
    text = _text(source, row_count, column_count, findings, notes, max_characters // _TEXT_SHARE)
    analysis = Analysis(
        source=source,
        row_count=row_count,
        column_count=column_count,
        findings=[],
        truncated=bool(left_out),
        notice=" ".join(notes) or None,
    )
    notice_room = min(_NOTICE_CHARACTERS, max_characters // _NOTE_SHARE)
    kept = _fitting(findings, max_characters - len(text) - len(analysis.model_dump_json()) - notice_room)
    analysis.findings = [kept[number] for number in sorted(kept)]
    left = [finding for number, finding in enumerate(findings) if kept.get(number) is not finding]
    if left:
        analysis.truncated = True
        analysis.notice = " ".join([*notes, _notice(left, max_characters, notice_room)])
    return analysis, text


def _first_notes(notes: Sequence[str], room: int) -> list[str]:
    """The first ones that have room, and how many have none: each look may have left one."""
    found: list[str] = []
    more = "(More notes, for which there is no room: {}.)"
    room -= len(more)
    for number, note in enumerate(notes):
        room -= _characters(note)
        if room < 0:
            return [*found, more.format(len(notes) - number)]
        found.append(note)
    return found


def _characters(text: str) -> int:
    return len(to_json(text).decode())


def _by_use(findings: Sequence[DataFinding]) -> list[int]:
    return sorted(range(len(findings)), key=lambda each: (_FIRST.index(findings[each].about), each))


def _fitting(findings: Sequence[DataFinding], room: int) -> dict[int, DataFinding]:
    """By number, in as much room: first each finding in its shortest form, then, the most useful first, longer ones."""
    forms = [_forms(each) for each in findings]
    sizes = [[len(form.model_dump_json()) + 1 for form in each] for each in forms]
    chosen: dict[int, int] = {}
    for number in _by_use(findings):
        if sizes[number][0] <= room:
            chosen[number] = 0
            room -= sizes[number][0]
    for number in _by_use(findings):
        if number in chosen:
            least = sizes[number][0]
            best = max(form for form, size in enumerate(sizes[number]) if form == 0 or size <= room + least)
            chosen[number] = best
            room -= sizes[number][best] - least
    return {number: forms[number][form] for number, form in chosen.items()}


def _forms(finding: DataFinding) -> list[DataFinding]:
    """The finding, from its shortest form to all of it."""
    forms = [finding]
    if finding.table is not None and len(finding.table.rows) > _ROWS_KEPT:
        rows = finding.table.rows[:_ROWS_KEPT]
        notice = f"The first {len(rows)} of {finding.table.row_count:,}."
        cut = finding.table.model_copy(update={"rows": rows, "truncated": True, "notice": notice})
        forms.append(finding.model_copy(update={"table": cut}))
    if finding.table is not None or finding.histogram is not None:
        forms.append(finding.model_copy(update={"table": None, "histogram": None}))
    without = f"-- left out here: {len(finding.sql):,} characters; with fewer columns it is shorter"
    if len(finding.sql) > len(without):
        forms.append(forms[-1].model_copy(update={"sql": without}))
    return forms[::-1]


def _notice(left: Sequence[DataFinding], max_characters: int, room: int) -> str:
    notices = (_naming(left, max_characters, most) for most in _NAMED)
    return next(notice for notice in notices if _characters(notice) < room)


def _naming(left: Sequence[DataFinding], max_characters: int, most: int) -> str:
    by_about: dict[About, list[str | None]] = defaultdict(list)
    for each in left:
        by_about[each.about].append(each.column)
    parts = []
    for about in get_args(About):
        if about in by_about:
            names = [shown(name, 40) for name in by_about[about] if name is not None]
            named = ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
            parts.append(f"{about} ({named})" if names and most else about)
    asked = ", ".join(f'"{about}"' for about in get_args(About) if about in by_about)
    return (
        f"Left out or cut, to stay below {max_characters:,} characters: {'; '.join(parts)}."
        f" Ask for it with findings=[{asked}], columns=[…], or a larger max_characters."
    )


def _text(
    source: str, rows: int, columns: int, findings: Sequence[DataFinding], remarks: Sequence[str], most: int
) -> str:
    lines = [f"{shown(source, 200)}: {rows:,} rows, {columns:,} columns.", *remarks]
    room = most - sum(len(line) + 1 for line in lines) - 100
    by_use = _by_use(findings)
    kept: dict[int, str] = {}
    for number in by_use:  # first what was found, of as much as possible
        line = f"- {findings[number].title}"
        if len(line) < room:
            kept[number] = line
            room -= len(line) + 1
    for number in by_use:
        sql = f"\n  {findings[number].sql}"
        if number in kept and len(sql) <= min(room, _SQL_IN_TEXT):
            kept[number] += sql
            room -= len(sql)
    if len(kept) < len(findings):
        lines.append(f"({len(findings) - len(kept)} findings are in the data only, or left out.)")
    return "\n".join([*lines, *(kept[number] for number in sorted(kept))])
