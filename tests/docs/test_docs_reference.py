"""docs/reference.md and the code say the same, compared both ways."""

from __future__ import annotations

import argparse
import importlib
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from doc_page import ROOT, codes, rows, section

import mcp_app
from mcp_app import Settings
from mcp_app.cli import _parser
from mcp_app.client.outcome import Status
from mcp_app.manifest import load_manifest
from mcp_app.protocol import caller_errors, plain, plain_events, run_errors
from mcp_app.protocol import errors as errors_module
from mcp_app.protocol.errors import McpAppError, RunError, ToolError
from mcp_app.routes import table
from mcp_app.web import pages

ERROR_MODULES = {errors_module.__name__, caller_errors.__name__, run_errors.__name__}

REFERENCE = ROOT / "docs" / "reference.md"


def listed(heading: str, column: int = 0) -> list[str]:
    """The code spans of one column of the tables under a heading."""
    return [code for row in rows(section(REFERENCE, heading)) for code in codes(row[column])]


def written(value: Any) -> str:
    """A default as people write it."""
    if value is None or value in ((), ""):
        return "none"
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def test_settings() -> None:
    found = {row[0].strip("`"): row[1] for row in rows(section(REFERENCE, "Settings"))}
    assert found == {f"MCP_APP_{name.upper()}": written(field.default) for name, field in Settings.model_fields.items()}


def test_routes_and_their_methods() -> None:
    documented: dict[str, set[str]] = {}
    path = ""
    for row in rows(section(REFERENCE, "Routes")):
        path = (codes(row[0]) or [path])[0]
        documented.setdefault(path, set()).update(codes(row[1]))
    manifest = load_manifest(ROOT / "mcp.json")
    files = pages.pages().keys() - {"/"}
    served = {path: set(methods) for path, methods in table(manifest).items() if path not in files}
    assert documented == served
    assert any(path.startswith("/page/") for path in pages.pages())


def errors(root: type[McpAppError] = McpAppError) -> Iterator[type[McpAppError]]:
    for each in root.__subclasses__():
        if "code" in vars(each) and each.__module__ in ERROR_MODULES:
            yield each
        yield from errors(each)


def test_errors() -> None:
    documented = {row[0].strip("`"): (int(row[1]), row[3]) for row in rows(section(REFERENCE, "Errors"))}
    # ToolError has tool_failed's code, and a hint of its author's own.
    assert documented == {each.code: (each.status, each.hint) for each in errors() if each is not ToolError}


def test_which_errors_end_a_run() -> None:
    assert set(listed("How a run ended without a result")) >= {each.code for each in RunError.__subclasses__()}
    first_column = {row[0].strip("`") for row in rows(section(REFERENCE, "How a run ended without a result"))}
    assert first_column == {each.code for each in RunError.__subclasses__()}


def test_no_code_is_two_errors() -> None:
    found = [each.code for each in errors() if each is not ToolError]
    assert len(found) == len(set(found))


def test_events() -> None:
    assert listed("Events") is not None
    assert [row[0].strip("`") for row in rows(section(REFERENCE, "Events"))] == list(
        dict.fromkeys(plain_events.WORDS.values())
    )


def test_what_stands_in_a_call() -> None:
    assert [row[0].strip("`") for row in rows(section(REFERENCE, "By POST"))] == list(plain.CallBody.model_fields)
    assert {row[0].strip("`") for row in rows(section(REFERENCE, "By GET"))} == plain.RESERVED


async def test_metrics() -> None:
    from mcp_app.web.worker_metrics import labelled

    app = mcp_app.create_app(Settings(), [])
    async with app.test_app() as running:
        answer = await running.test_client().get("/metrics")
        text = labelled({1: (await answer.get_data()).decode()})  # as of several workers
    seen = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert {row[0].strip("`"): row[1] for row in rows(section(REFERENCE, "Metrics"))} == seen


def test_limits() -> None:
    found = rows(section(REFERENCE, "Limits"))
    assert len(found) > 8
    for row in found:
        [name] = codes(row[2])
        module, _, constant = name.rpartition(".")
        value = getattr(importlib.import_module(module), constant)
        assert row[1].split()[0] == written(value), name


def test_hypercorn_toml() -> None:
    documented = {row[0].strip("`"): tomllib.loads(f"x = {row[1].strip('`')}")["x"] for row in toml_rows()}
    assert documented == tomllib.loads((ROOT / "hypercorn.toml").read_text(encoding="utf-8"))


def toml_rows() -> Iterable[list[str]]:
    return rows(section(REFERENCE, "hypercorn.toml"))


def test_refused_keys_of_hypercorn_toml() -> None:
    from mcp_app.server.configuration import REFUSED

    after = section(REFERENCE, "hypercorn.toml").rpartition("|")[2]
    assert set(REFUSED) <= set(codes(after))


def test_commands_and_options_of_serve() -> None:
    [commands] = [
        each for each in _parser()._actions if each.dest == "run" or (hasattr(each, "choices") and each.choices)
    ]
    documented = {code.split()[1] for code in listed("Command line") if code.startswith("mcp-app ")}
    assert documented - {"--version"} == set(commands.choices or ())
    serve = dict(commands.choices or ())["serve"]
    shown = [action for action in serve._actions if action.help != argparse.SUPPRESS]
    known = {option for action in shown for option in action.option_strings} - {"-h", "--help"}
    assert {code.split()[0] for code in listed("Options of mcp-app serve")} == known


def test_exit_status_of_call() -> None:
    documented = {int(row[0]) for row in rows(section(REFERENCE, "Exit status of mcp-app call"))}
    assert documented == {int(status) for status in Status}


def test_header_fields_of_answers() -> None:
    from mcp_app.runs.at_work import RETRY_AFTER
    from mcp_app.web.messages import STREAM_HEADERS

    given = [(codes(row[0]), row[2]) for row in rows(section(REFERENCE, "Of an answer"))]
    named = {name: value for names, value in given for name in names}
    assert {name for name, _ in STREAM_HEADERS} <= set(named)
    assert f"`{RETRY_AFTER['Retry-After']}`" in named["Retry-After"]
    text = section(REFERENCE, "Of an answer")
    assert all(f"`{value}`" in text for _, value in STREAM_HEADERS)


def test_the_reconnection_time() -> None:
    from mcp_app.protocol.policy import PLAIN_DETACHED, PLAIN_EVENTSOURCE

    [said] = re.findall(r"`retry: (\d+)`", section(REFERENCE, "Events"))
    assert int(said) == PLAIN_EVENTSOURCE.retry_ms == PLAIN_DETACHED.retry_ms


def test_the_run_key() -> None:
    [(shortest, longest)] = re.findall(r"(\d+) to (\d+) characters", section(REFERENCE, "By GET"))
    assert plain.KEY.pattern.endswith(f"{{{shortest},{longest}}}")


def test_what_a_context_has() -> None:
    documented = set(codes(section(REFERENCE, "`Context`")))
    assert documented >= {name for name in dir(mcp_app.Context) if not name.startswith("_")}


@pytest.mark.parametrize("page", ["docs/tutorial.md", "docs/how-to-write-tools.md", "README.md"])
def test_where_the_default_cap_is_named_it_is_the_default(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    caps = re.findall(r"cap \(?(\d+) s", text) + re.findall(r"cap, (\d+) seconds", text)
    assert set(caps) <= {written(Settings.model_fields["cap_seconds"].default)}


def test_a_difference_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "## One\n| a | b |\n|---|---|\n| `x` | 1 \\| 2 |\n### Two\n| c |\n|---|\n| `y` |\n## Three\n| `z` |\n"
    )
    assert rows(section(page, "One")) == [["`x`", "1 | 2"], ["`y`"]]
