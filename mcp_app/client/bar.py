"""Events as a live display in a terminal: steps as lines, with a progress bar and a clock below. Requires rich.

Nothing here controls the call. Text from the server is printed only as `Text` made of `harmless` text, never as rich's
markup: `[red]` in a tool's output is printed verbatim.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TextIO

from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID
from rich.text import Text

from mcp_app.client.lines import steps
from mcp_app.client.message import ServerMessage
from mcp_app.client.printable import harmless, many_lines, one_line
from mcp_app.client.report import Report
from mcp_app.client.saving import Saved, blocks_of

# Seconds of silence before the bar shows them: with a lower value, an event or heartbeat every second would flicker.
_QUIET_SECONDS = 2


class Bar:
    """Draws on `output`, which must be a terminal. `clock` is monotonic, in seconds.

    A step is one line and the result what a person reads (`Report`); `full` prints all of both, as JSON.
    """

    # Show the cursor, new line: what rich writes when it stops.
    restore = b"\x1b[?25h\r\n"

    def __init__(
        self, tool: str, output: TextIO, saved: Saved, *, full: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = Console(file=output, markup=False, highlight=False, emoji=False)
        self._clock = clock
        self._progress = Progress(
            _Field("name"),
            BarColumn(bar_width=30),
            _Field("steps"),
            _Clock(),
            _Beats(self._console.encoding.startswith("utf"), clock),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            get_time=clock,
        )
        self._tool = harmless(tool)
        self._saved = saved
        self._full = full
        self._report = Report(saved, signs=self._console.encoding.startswith("utf"))
        self._task: TaskID | None = None
        self._beats = 0

    def start(self) -> None:
        self._task = self._progress.add_task(
            "", total=None, name=self._tool, steps="", cap=None, beats=0, last_activity=self._clock()
        )
        self._progress.start()

    def show(self, message: ServerMessage) -> None:
        self._update(last_activity=self._clock())
        match message.type:
            case "started":
                self._update(cap=message.number("cap_seconds"))
            case "complete":
                self._complete(message)
            case "error":
                self.stop()
            case "log":
                self._log(message)
            case _:
                self._step(message)

    def heartbeat(self) -> None:
        self._beats += 1
        self._update(last_activity=self._clock(), beats=self._beats)

    def cancelling(self) -> None:
        self._update(name=f"{self._tool}: cancelling (Ctrl-C again leaves at once)")

    def flush(self) -> None:
        """Does nothing: rich redraws by itself, ten times a second."""

    def stop(self) -> None:
        self._progress.stop()

    def _update(self, **fields: Any) -> None:
        if self._task is not None:
            self._progress.update(self._task, **fields)

    def _step(self, message: ServerMessage) -> None:
        done, total = message.number("progress"), message.number("total")
        if done is not None:
            self._update(completed=done, total=total, steps=steps(message))
        elapsed = 0.0 if self._task is None else self._progress.tasks[0].elapsed or 0.0
        clock = Text.assemble((f"{elapsed:6.1f} s ", "dim"), _step_name(message))
        if self._full:
            self._saved.save(message)
            self._console.print(clock, Text(_step_text(message.data)), sep="")
            return
        blocks = blocks_of(message)
        for text in [self._step_line(message.data)] if blocks is None else self._report.content(blocks):
            self._console.print(Text.assemble(clock, text), no_wrap=True, overflow="ellipsis")

    def _step_line(self, data: Any) -> Text:
        return self._report.step(data) or Text(_step_text(data))

    def _log(self, message: ServerMessage) -> None:
        data = message.data
        level = data.get("level") if isinstance(data, dict) else None
        style = {"error": "bold red", "warning": "yellow"}.get(level, "dim") if isinstance(level, str) else "dim"
        value = data.get("message") if isinstance(data, dict) else data
        text = value if isinstance(value, str) else one_line(value)
        line = Text(harmless(f"{level or 'log'}: {text}"), style=style)
        self._console.print(Text.assemble(_step_name(message), line))

    def _complete(self, message: ServerMessage) -> None:
        self.stop()
        duration, events = message.number("duration_ms"), message.number("events")
        summary = f"{self._tool}: done"
        summary += "" if duration is None else f" in {duration / 1000:.1f} s"
        summary += "" if events is None else f", {events:.0f} events"
        self._console.print(Text(summary, style="bold green"))
        if message.data is None and not message.beside:
            return
        if self._full:
            self._saved.save(message)
            for value in (message.data, message.beside) if message.beside else (message.data,):
                # soft_wrap: the terminal wraps long lines, so text copied from it is still JSON.
                self._console.print(JSONHighlighter()(Text(many_lines(value))), soft_wrap=True)
            return
        for part in self._report.result(message):
            self._console.print(part)


def _step_name(message: ServerMessage) -> Text:
    """The step that it comes from, in front of the line; empty for the tool itself."""
    return Text(f"{harmless(message.path)}  " if message.path else "", style="cyan")


def _step_text(data: Any) -> str:
    """A lone message verbatim; a step by its name, then its other members; anything else as JSON."""
    if isinstance(data, dict):
        for name in ("message", "step"):
            if isinstance(data.get(name), str):
                rest = {key: value for key, value in data.items() if key != name}
                return harmless(data[name]) + (f"  {one_line(rest)}" if rest else "")
    return harmless(data) if isinstance(data, str) else one_line(data)


class _Field(ProgressColumn):
    """One field of the task, as plain text, not as markup."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def render(self, task: Task) -> Text:
        return Text(str(task.fields[self._name]))


class _Clock(ProgressColumn):
    """The elapsed time of the call, and the cap if the server sent it."""

    def render(self, task: Task) -> Text:
        cap = task.fields["cap"]
        elapsed = _minutes(task.elapsed or 0.0)
        return Text(elapsed if cap is None else f"{elapsed} of {_minutes(cap)}", style="cyan")


class _Beats(ProgressColumn):
    """The number of heartbeats, and the time since the last byte of an event or heartbeat."""

    def __init__(self, hearts: bool, clock: Callable[[], float]) -> None:
        super().__init__()
        self._sign = "♥" if hearts else "heartbeats:"
        self._clock = clock

    def render(self, task: Task) -> Text:
        quiet = self._clock() - task.fields["last_activity"]
        parts = [f"{self._sign} {task.fields['beats']}"] if task.fields["beats"] else []
        parts += [f"quiet {quiet:.0f} s"] if quiet >= _QUIET_SECONDS else []
        return Text("  ".join(parts), style="dim")


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
