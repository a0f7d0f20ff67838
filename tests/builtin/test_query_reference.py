"""docs/reference-query-database.md and the code say the same."""

from __future__ import annotations

import json
import re

import pytest
from doc_page import ROOT, rows, section
from documented_bounds import check_bounds

from mcp_app.builtin.query_database import cells
from mcp_app.builtin.query_database.question import Question
from mcp_app.builtin.query_database.settings import parse
from mcp_app.builtin.query_database.tool import query_database

PAGE = ROOT / "docs" / "reference-query-database.md"


def table(heading: str) -> list[list[str]]:
    return rows(section(PAGE, heading))


PARAMETERS = [row for row in table("query_database") if len(row) == 3]


def test_each_bound_is_the_one_in_the_code() -> None:
    check_bounds(PAGE, "mcp_app.builtin.query_database", least=18)


def test_each_parameter_is_described_with_its_default() -> None:
    found = {row[0].strip("`"): row[1].strip("`") for row in PARAMETERS}
    properties = query_database.input_schema["properties"]
    assert list(found) == [name for name in properties if name in found]
    assert set(found) == set(properties)
    defaults = {name: properties[name]["default"] for name in ("parameters", "max_rows", "max_characters", "seconds")}
    assert {name: json.loads(found[name]) for name in defaults} == defaults


def test_the_bounds_of_parameters_are_those_that_are_listed() -> None:
    for name, default, meaning in PARAMETERS:
        properties = query_database.input_schema["properties"]
        if (schema := properties.get(name.strip("`"))) and "maximum" in schema:
            assert f"{schema['maximum']:,.0f}" in meaning, default


def test_the_defaults_of_a_question_are_those_of_the_tool() -> None:
    properties = query_database.input_schema["properties"]
    for name in ("max_rows", "max_characters", "seconds"):
        assert properties[name]["default"] == Question.model_fields[name].default


def test_the_spelling_of_values_is_that_of_the_code() -> None:
    """The same table, and the same kinds of values in the same order."""
    in_code = re.findall(r"^\| ([^|]+) \|", cells.__doc__ or "", re.MULTILINE)[1:]
    documented = [name for name, _ in table("How a value is spelt")]
    as_in_code = [re.sub(r"<sup>(\d+)</sup>", r"**\1", name) for name in documented]
    assert [words(name) for name in as_in_code] == [words(name) for name in in_code]


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-zA-Z0-9*]+", text)) - {"of", "set"}


@pytest.mark.parametrize("url", [url for cell, _ in table("Databases") for url in re.findall(r"`(\w+:[^`]+)`", cell)])
def test_each_url_that_is_shown_is_one(url: str) -> None:
    [named] = parse(f"shop={url}")
    assert url.startswith(named.engine)
