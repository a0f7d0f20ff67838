"""MCP_APP_DATABASES: what it names, one line for each mistake, and that no secret is shown."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mcp_app.builtin.query_database.databases import DRIVERS
from mcp_app.builtin.query_database.settings import DatabaseSettings, Engine, parse
from mcp_app.config.invalid import invalid_for_tools

SECRET = "hunter2secret"


def named(text: str) -> list[tuple[str, str, Path | None]]:
    return [(each.name, each.engine, each.path) for each in parse(text)]


def test_nothing_is_named() -> None:
    assert parse("") == parse(" , ") == ()


def test_files_and_servers_are_named() -> None:
    text = "shop=sqlite:///shop.db, dwh=postgresql://u:p%2Cw@db.example.com:5433/dwh?sslmode=require,lake=duckdb:////data/lake.duckdb,"
    assert named(text) == [
        ("shop", "sqlite", Path("shop.db")),
        ("dwh", "postgresql", None),
        ("lake", "duckdb", Path("/data/lake.duckdb")),
    ]


def test_a_comma_in_a_url_is_not_the_end_of_it() -> None:
    (hosts, other) = parse("a=postgresql://one:5432,two:5433/db,b=postgres:///db?host=/run/postgresql")
    assert hosts.url.get_secret_value() == "postgresql://one:5432,two:5433/db"
    assert (other.name, other.engine) == ("b", "postgresql")


def test_a_path_may_have_any_character() -> None:
    assert named("a=sqlite:///my%20shop%3F%2C%23.db")[0][2] == Path("my shop?,#.db")


MISTAKES = {
    "shop": "entry 1 is not NAME=URL",
    "sqlite:///shop.db": "entry 1 is not NAME=URL",
    "ok=sqlite:///a.db,=sqlite:///b.db": "a file is sqlite:///NAME.db",
    "ok=sqlite:///a.db,b=": "entry 2 is not NAME=URL",
    "1st=sqlite:///a.db": "entry 1 is not NAME=URL",
    "my shop=sqlite:///a.db": "entry 1 is not NAME=URL",
    f"{'n' * 64}=sqlite:///a.db": "63 characters",
    "a=sqlite:///a.db,A=sqlite:///b.db": "two databases have the name A",
    "a=shop.db": "a: the URL has to begin with",
    f"a=mysql://root:{SECRET}@db/x": "a: the URL has to begin with",
    f"a={SECRET}": "a: the URL has to begin with",
    "a=sqlite:shop.db": "that is no sqlite:// URL",
    f"a=postgresql://u:{SECRET}@db:port/x": "that is no postgresql:// URL",
    f"a=postgresql://u:{SECRET}/[@db/x": "that is no postgresql:// URL",
    f"a=postgresql:{SECRET}": "that is no postgresql:// URL",
    "a=sqlite://shop.db": "a file is sqlite:///NAME.db",
    "a=sqlite:///": "a file is sqlite:///NAME.db",
    "a=sqlite:///shop.db?mode=rw": "no options",
    "a=sqlite:///shop.db?": "no options",
    "a=duckdb:///lake.db#x": "no options",
    f"a=sqlite://{SECRET}@/shop.db": "it takes no host",
    "a=sqlite:///a%00.db": "NUL",
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.items(), ids=range(len(MISTAKES)))
def test_each_mistake_is_one_line_that_names_it(monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    monkeypatch.setenv("MCP_APP_DATABASES", text)
    line = invalid_for_tools()
    assert line is not None
    assert line.startswith("MCP_APP_DATABASES: ")
    assert said in line
    assert "\n" not in line
    assert SECRET not in line


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_APP_DATABASES", f"dwh=postgresql://u:{SECRET}@db.example.com/x")
    settings = DatabaseSettings()
    for shown in (repr(settings), str(settings), repr(settings.databases), str(settings.model_dump())):
        assert SECRET not in shown
        assert "db.example.com" not in shown
    monkeypatch.setenv("MCP_APP_DATABASES", f"dwh=postgres//u:{SECRET}@db.example.com/x")
    with pytest.raises(ValidationError) as raised:
        DatabaseSettings()
    assert SECRET not in str(raised.value)
    assert SECRET not in repr(raised.value)


@pytest.mark.parametrize(
    ("engine", "url"), [("postgresql", f"postgresql://u:{SECRET}@db.example.com/x"), ("duckdb", "duckdb:///x.duckdb")]
)
def test_a_driver_that_is_missing_ends_the_start_in_one_line(engine: Engine, url: str) -> None:
    """In a process in which it is not found."""
    package, hint = DRIVERS[engine]
    program = f"""
import importlib.machinery, sys
find = importlib.machinery.PathFinder.find_spec
importlib.machinery.PathFinder.find_spec = lambda name, *more: None if name == {package!r} else find(name, *more)
from mcp_app.cli import main
sys.exit(main(["serve", "--port", "0"]))
"""
    environment = {**os.environ, "MCP_APP_DATABASES": f"dwh={url}"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if line.startswith("mcp-app: ")] == done.stderr.splitlines()[-1:]
    assert done.stderr.endswith(f" raised CannotOpen: MCP_APP_DATABASES: dwh: {package} is missing: {hint}\n")
    assert SECRET not in done.stderr + done.stdout


def test_the_driver_whose_release_is_pinned_is_installed_as_its_extra_is() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    [requirement] = project["project"]["optional-dependencies"]["postgres"]
    assert DRIVERS["postgresql"][1] == f"pip install '{requirement}'"


@given(
    st.text(max_size=60)
    | st.from_regex(r"[a-z]{1,3}=(sqlite|duckdb|postgres):[/a-z0-9@:?%,=\[\]-]{0,40}", fullmatch=True)
)
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    said, found = "", ()
    try:
        found = parse(text)
    except ValueError as error:
        said = str(error)
    assert not said or said.startswith("MCP_APP_DATABASES: ")
    assert "\n" not in said
    assert all((each.path is None) == (each.engine == "postgresql") for each in found)
