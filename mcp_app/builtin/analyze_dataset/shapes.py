"""What is streamed and returned, as a page or a program reads it: each says by `kind` what it is. Only data."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from mcp_app.builtin.query_database.shapes import Table

About = Literal[
    "schema", "unread", "nulls", "distinct", "range", "histogram", "outliers", "dates", "duplicates", "correlations"
]
"""Kinds of findings, in the order in which they are looked for."""


class Histogram(BaseModel):
    """Values counted in bins of equal width, from `edges[i]` up to `edges[i + 1]`, which only the last includes."""

    kind: Literal["histogram"] = "histogram"
    column: str
    edges: list[int | float | str] = Field(description="one more than counts; dates are ISO 8601")
    counts: list[int]


class DataFinding(BaseModel):
    """One thing that was found, with the SQL that found it."""

    kind: Literal["finding"] = "finding"
    about: About
    column: str | None = Field(default=None, description="null: it is about the whole table")
    title: str = Field(description="the finding in one sentence")
    sql: str = Field(description="the DuckDB SQL behind it; `dataset` is what the schema's SQL makes")
    table: Table | None = None
    histogram: Histogram | None = None


class Analysis(BaseModel):
    """All findings, or as many as fit the caller's max_characters."""

    kind: Literal["analysis"] = "analysis"
    source: str = Field(description="the file, relative to the data's folder; or the database that was asked")
    row_count: int = Field(ge=0, description="rows that were looked at")
    column_count: int = Field(ge=0, description="columns that were looked at")
    findings: list[DataFinding]
    truncated: bool = Field(default=False, description="whether something was left out")
    notice: str | None = Field(default=None, description="what was left out, and how to ask for the rest")
