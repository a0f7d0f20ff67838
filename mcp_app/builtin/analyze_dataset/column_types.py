"""Which type a column of texts has, and how each of its texts is read as that. Pure: SQL and counts in, a type out.

A file of text has no types. The first rows are counted by each of these readings; a column has the first type that
reads most of them. What a reading cannot read is kept as text beside it, and reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Family = Literal["number", "date", "boolean", "text", "other"]

SAMPLE_ROWS = 20_000
"""First rows that are looked at, at most; all rows are read as they suggest, and what does not fit is counted."""

MOSTLY = 0.8
"""The share of the texts that a type has to read. Fewer, and the column is text."""

MISSING = ("", "null", "none", "na", "n/a", "nan", "-", "--", "?", "nil", "\\n", "#n/a", "missing", "unknown")
"""What people write where there is no value, in lower case. It counts for no type and against none."""


@dataclass(frozen=True, slots=True)
class Reading:
    """`sql` has `{text}` in it, and is NULL for what it cannot read. `said` names it to people."""

    type: str
    family: Family
    sql: str
    said: str


_DIGIT = "regexp_matches({text}, '^\\s*[0-9]')"  # neither 'infinity' nor 'epoch'
_ZONE = "regexp_matches({text}, '(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)\\s*$')"


def _strptime(type_: str, looks: str, *formats: str) -> str:
    """By formats, of texts that look so: to learn by a format that one is no date takes a hundred times as long."""
    listed = ", ".join(f"'{each}'" for each in formats)
    return f"CASE WHEN {{text}} LIKE '{looks}' THEN TRY_CAST(TRY_STRPTIME(trim({{text}}), [{listed}]) AS {type_}) END"


READINGS: dict[str, Reading] = {
    "boolean": Reading(
        "BOOLEAN",
        "boolean",
        "CASE lower(trim({text})) WHEN 'true' THEN true WHEN 'false' THEN false END",
        "truth values",
    ),
    # '1.5' would be rounded to 2, and '0x1F' would be 31.
    "whole": Reading(
        "BIGINT",
        "number",
        "CASE WHEN TRY_CAST({text} AS BIGINT) = TRY_CAST({text} AS DOUBLE) THEN TRY_CAST({text} AS BIGINT) END",
        "whole numbers",
    ),
    "decimal": Reading("DOUBLE", "number", "TRY_CAST({text} AS DOUBLE)", "numbers"),
    "decimal_comma": Reading(
        "DOUBLE",
        "number",
        "CASE WHEN regexp_full_match(trim({text}), '[+-]?[0-9]{{1,3}}([.]?[0-9]{{3}})*(,[0-9]+)?')"
        " THEN TRY_CAST(replace(replace({text}, '.', ''), ',', '.') AS DOUBLE) END",
        "numbers with a decimal comma",
    ),
    "date": Reading(
        "DATE",
        "date",
        f"CASE WHEN length(trim({{text}})) <= 10 AND {_DIGIT} THEN TRY_CAST({{text}} AS DATE) END",
        "dates",
    ),
    "date_day_dot": Reading("DATE", "date", _strptime("DATE", "%.%.%", "%d.%m.%Y"), "dates (day.month.year)"),
    "date_day": Reading("DATE", "date", _strptime("DATE", "%/%/%", "%d/%m/%Y"), "dates (day/month/year)"),
    "date_month": Reading("DATE", "date", _strptime("DATE", "%/%/%", "%m/%d/%Y"), "dates (month/day/year)"),
    "moment_zone": Reading(
        "TIMESTAMP",
        "date",
        f"CASE WHEN {_ZONE} THEN TRY_CAST({{text}} AS TIMESTAMPTZ) AT TIME ZONE 'UTC' END",
        "moments (in UTC)",
    ),
    "moment": Reading("TIMESTAMP", "date", f"CASE WHEN {_DIGIT} THEN TRY_CAST({{text}} AS TIMESTAMP) END", "moments"),
    "moment_day_dot": Reading(
        "TIMESTAMP",
        "date",
        _strptime("TIMESTAMP", "%.%.%:%", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S"),
        "moments (day.month.year)",
    ),
    "moment_day": Reading(
        "TIMESTAMP",
        "date",
        _strptime("TIMESTAMP", "%/%/%:%", "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S"),
        "moments (day/month/year)",
    ),
    "moment_month": Reading(
        "TIMESTAMP",
        "date",
        _strptime(
            "TIMESTAMP", "%/%/%:%", "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%m/%d/%Y %I:%M:%S %p"
        ),
        "moments (month/day/year)",
    ),
    "text": Reading("VARCHAR", "text", "{text}", "text"),
}
"""From the narrowest to the widest: of those that read equally many texts, the first is taken."""

AMBIGUOUS = {"date_day": "date_month", "moment_day": "moment_month"}
"""Where both read every text, nothing says which was meant."""

NAME_LIKE = "regexp_matches({text}, '^\\s*[+-]?(0[0-9]|[0-9]{{19}})')"
"""007 is a name (a postal code, an account) and no number: it would lose its zeros, one of 20 digits the last."""

_LISTED = ", ".join(f"'{each}'" for each in MISSING)

SAYS = f"lower(trim({{text}})) NOT IN ({_LISTED})"
"""Whether a text is a value."""


def sample_rows(columns: int) -> int:
    """How many first rows types are inferred from, of so many columns: a million values, but not too few of each."""
    return max(min(SAMPLE_ROWS, 1_000_000 // max(columns, 1)), 1_000)


def counts_sql(text: str, table: str) -> str:
    """Counts of one column's texts in a table: values, names among them, and what each reading can read."""
    readings = ", ".join(f"count({each.sql.format(text=text)})" for name, each in READINGS.items() if name != "text")
    return (
        f"SELECT count(*), count(*) FILTER ({NAME_LIKE.format(text=text)}), {readings}"
        f" FROM {table} WHERE {SAYS.format(text=text)}"
    )


def infer(counts: Sequence[int]) -> tuple[str, bool]:
    """The name of the reading, and whether another one would do as well. `counts` are those of `counts_sql`."""
    says, name_like, *each = counts
    by_name = dict(zip(READINGS, each, strict=False))  # text, which reads everything, is not counted
    best = max(by_name, key=by_name.__getitem__)  # the first of the best
    if not says or by_name[best] < says * MOSTLY or (READINGS[best].family == "number" and name_like):
        return "text", False
    other = AMBIGUOUS.get(best)
    return best, other is not None and by_name[other] == by_name[best]


def unread_sql(unread: str) -> list[str]:
    """Aggregates over the values that a reading left as text in a whole column: all of them, and the numbers."""
    number = f"TRY_CAST({unread} AS DOUBLE) IS NOT NULL AND NOT {NAME_LIKE.format(text=unread)}"
    return [f"count({unread})", f"count(*) FILTER ({number})"]


def widened(name: str, filled: int, unread: int, numbers: int) -> str:
    """The reading of a column of which `name` read `filled` rows and left `unread` values, `numbers` among them."""
    if name == "whole" and numbers:
        return "decimal"
    return name if filled >= (filled + unread) * MOSTLY else "text"
