"""A result as a person reads it: its short text or else its data (the grade, findings and lists as tables), then
pictures and files by name.

What is left out is what --full prints. Text from the server becomes `Text` made of `harmless` text, never rich's
markup. Nothing is printed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from mcp_app.client.message import ServerMessage
from mcp_app.client.printable import harmless, harmless_lines, one_line
from mcp_app.client.saving import Saved, blocks_beside, blocks_of

# Rows and columns of a table, and characters of one cell: what a screen or two has room for; more is for --full.
_ROWS = 20
_COLUMNS = 8
_CELL_CHARACTERS = 200

# Of `status`: the sign in UTF-8, the one elsewhere, and the style.
_SIGNS = {
    "ok": ("✓", "+", "green"),
    "info": ("·", "-", "dim"),
    "warn": ("!", "!", "yellow"),
    "fail": ("✗", "x", "bold red"),
    "skipped": ("○", "o", "dim"),
}

_GRADES = {"A": "bold green", "B": "green", "C": "yellow", "D": "yellow", "E": "bold red", "F": "bold red"}


class Report:
    """Renders the steps and the result of one call. `signs` are those of UTF-8."""

    def __init__(self, saved: Saved, *, signs: bool) -> None:
        self._saved = saved
        self._signs = signs
        self._steps: list[Any] = []
        self._left_out = False

    def step(self, data: Any) -> Text | None:
        """The line of a step that has a name and a status; None for any other data."""
        if not isinstance(data, dict) or not isinstance(data.get("step"), str) or not _has_status(data):
            return None
        self._steps.append(data["step"])
        summary = data.get("summary")
        text = Text.assemble(self._sign(data["status"]), " ", (harmless(data["step"]), "bold"))
        return text.append(f"  {harmless(summary)}") if isinstance(summary, str) else text

    def result(self, message: ServerMessage) -> Iterator[RenderableType]:
        """What to print of the result of a `complete` event, in order."""
        self._left_out = False
        blocks = blocks_of(message)
        if message.text is not None:
            yield Text(harmless_lines(message.text))
            self._left_out = blocks is None and message.data is not None
        if blocks is not None:
            yield from self.content(blocks)
        elif message.text is None:
            yield from self._data(message.data)
        yield from self.content(blocks_beside(message))
        if self._left_out:
            yield Text("This is not all of it: --full shows the rest, --json is for programs.", style="dim")

    def _data(self, data: Any) -> Iterator[RenderableType]:
        if isinstance(data, dict):
            yield from self._object(data)
        elif isinstance(data, list):
            yield from self._list(data)
        elif isinstance(data, str):
            yield Text(harmless_lines(data))
        elif data is not None:
            yield Text(one_line(data))

    def content(self, blocks: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
        """Content blocks: text as it stands, anything with bytes as one line that says what it is and where it went."""
        for block in blocks:
            said = self._saved.described(block)
            if said is not None:
                yield Text(harmless(said), style="cyan")
            elif isinstance(block.get("text"), str):
                yield Text(harmless_lines(block["text"]))
            else:
                yield self._cell({key: value for key, value in block.items() if key != "type"})

    def _object(self, data: Mapping[str, Any]) -> Iterator[RenderableType]:
        graded = isinstance(data.get("grade"), str)
        if graded:
            yield self._grade(data)
        shown = {key: value for key, value in data.items() if not (graded and key in ("grade", "score", "verdict"))}
        lists = {key: value for key, value in shown.items() if isinstance(value, list) and any(map(_is_row, value))}
        plain = {key: value for key, value in shown.items() if key not in lists}
        if plain:
            yield self._pairs(plain)
        for key, rows in lists.items():
            if key == "steps" and all(_is_row(row) and row.get("step") in self._steps for row in rows):
                self._left_out = True  # they stand above, one line each
                continue
            yield Text(f"\n{harmless(key)} ({len(rows)})", style="bold")
            yield from self._findings(rows) if all(map(_is_finding, rows)) else self._list(rows)

    def _grade(self, data: Mapping[str, Any]) -> Text:
        grade = harmless(data["grade"])
        text = Text.assemble(("grade ", "dim"), (grade, _GRADES.get(grade, "bold")))
        if isinstance(data.get("score"), int | float):
            text.append(f"  score {one_line(data['score'])}")
        return text.append(f"  {harmless(data['verdict'])}") if isinstance(data.get("verdict"), str) else text

    def _pairs(self, data: Mapping[str, Any]) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for key, value in data.items():
            table.add_row(Text(harmless(key)), self._cell(value))
        return table

    def _findings(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
        bad = [row for row in rows if row["status"] != "ok"]
        good = len(rows) - len(bad)
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for row in bad:
            said = Text(harmless(row["message"]))
            if isinstance(row.get("hint"), str) and row["hint"]:
                said.append(f"\n{harmless(row['hint'])}", style="dim")
            table.add_row(self._sign(row["status"]).append(f" {row['status']}"), said)
        if bad:
            yield table
        if good:
            self._left_out = True
            yield self._sign("ok").append(f" {good} ok")

    def _list(self, rows: Sequence[Any]) -> Iterator[RenderableType]:
        first, more = rows[:_ROWS], len(rows) - _ROWS
        columns = list(dict.fromkeys(key for row in first if _is_row(row) for key in row))
        if 0 < len(columns) <= _COLUMNS and all(map(_is_row, first)):
            table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
            for column in columns:
                table.add_column(Text(harmless(column)), overflow="fold")
            for row in first:
                table.add_row(*(self._cell(row[key]) if key in row else Text() for key in columns))
            yield table
        else:
            yield from map(self._cell, first)
        if more > 0:
            self._left_out = True
            yield Text(f"… {more} more", style="dim")

    def _cell(self, value: Any) -> Text:
        scalars = isinstance(value, list) and not any(isinstance(each, dict | list) for each in value)
        if isinstance(value, str):
            text = harmless(value)
        elif scalars:
            text = ", ".join(harmless(each) if isinstance(each, str) else one_line(each) for each in value)
        else:
            text = one_line(value)
        if len(text) <= _CELL_CHARACTERS:
            return Text(text)
        self._left_out = True
        return Text(f"{text[:_CELL_CHARACTERS]}…")

    def _sign(self, status: str) -> Text:
        utf, other, style = _SIGNS[status]
        return Text(utf if self._signs else other, style=style)


def _is_row(value: object) -> bool:
    return isinstance(value, dict) and bool(value)


def _is_finding(value: object) -> bool:
    return isinstance(value, dict) and _has_status(value) and isinstance(value.get("message"), str)


def _has_status(value: Mapping[str, Any]) -> bool:
    status = value.get("status")
    return isinstance(status, str) and status in _SIGNS
