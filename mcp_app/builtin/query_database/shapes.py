"""What is streamed and returned, as a page or a program reads it: each says by `kind` what it is. Only data."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from mcp_app.builtin.query_database.database import Column, Row


class Columns(BaseModel):
    """The first thing a query streams."""

    kind: Literal["columns"] = "columns"
    columns: list[Column]


class Rows(BaseModel):
    """A batch of rows."""

    kind: Literal["rows"] = "rows"
    first: int = Field(ge=0, description="index of the first row in the whole result")
    rows: list[Row]


class Table(BaseModel):
    """The result of a query: all rows, or as many as fit."""

    kind: Literal["table"] = "table"
    columns: list[Column]
    rows: list[Row] = Field(description="as many of the first rows as fit the caller's max_characters")
    row_count: int = Field(ge=0, description="rows that were streamed")
    truncated: bool = Field(False, description="whether rows were left out here, or the query has more of them")
    notice: str | None = Field(None, description="what was left out, and how to ask for the rest")
