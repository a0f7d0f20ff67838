"""Calling a tool in Python is typed: as mypy, strict, sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

SOURCE = """\
from collections.abc import AsyncIterator, Coroutine
from typing import Any, assert_type

from mcp_app import Context, Image, Registry, Result, Tool, tool


@tool
def double(number: int) -> int:
    return number * 2


@tool(read_only=True, title="Ask")
async def ask(ctx: Context, words: list[str], loud: bool = False) -> str:
    return words[0]


@tool
async def count(to: int) -> AsyncIterator[int]:
    yield to


@tool
def rows() -> Result[list[int]]:
    return Result([1], text="one row", content=[Image(b""), "a"], meta={"com.example/a": 1})


def maybe(found: Result[bool]) -> Result[int | None]:
    return found


assert_type(double(2), int)
assert_type(rows().data, list[int])
assert_type(rows().text, str | None)
assert_type(double.function(number=2), int)


async def calls(ctx: Context) -> None:
    assert_type(await ask(ctx, ["a"], loud=True), str)
    async for each in count(3):
        assert_type(each, int)


anything: list[Tool] = [double, ask, count]
Registry([double, ask, count])
"""

WRONG = {
    "double('2')": "arg-type",
    "double()": "call-arg",
    "double(n=2)": "call-arg",
    "double(2) + 'a'": "operator",
    "_ = ask(1, ['a'])": "arg-type",
    "count('3')": "arg-type",
    "Result(1, text=2)": "arg-type",
    "Result(1, content=[2])": "list-item",
    "Result(1, 'text')": "call-arg",
    "wrong: Result[str] = rows()": "assignment",
}


def test_mypy_sees_a_tool_as_the_function_it_is(tmp_path: Path) -> None:
    checked = tmp_path / "checked.py"
    checked.write_text(SOURCE + "\n".join(WRONG) + "\n")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        f"--cache-dir={tmp_path}/cache",
        str(checked),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    first = SOURCE.count("\n") + 1
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert [line.partition("checked.py:")[2].partition(":")[0] for line in errors] == [
        str(first + at) for at in range(len(WRONG))
    ], done.stdout + done.stderr
    for line, code in zip(errors, WRONG.values(), strict=True):
        assert line.endswith(f"[{code}]"), line
