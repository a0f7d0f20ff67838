"""The parameters of a tool that another one calls: as JSON, with secrets in plain."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pydantic.dataclasses
import pytest
from pydantic import BaseModel, Field, RootModel, Secret, SecretBytes, SecretStr, field_serializer

from mcp_app.authoring.sent_params import sent_params
from mcp_app.protocol.event import NotJson
from mcp_app.testing import client


class Login(BaseModel):
    user: str
    word: SecretStr = Field(alias="passWord")


class Shown(BaseModel):
    word: SecretStr

    @field_serializer("word", when_used="json")
    def show(self, word: SecretStr) -> str:
        return "shown " + word.get_secret_value()


class Words(RootModel[list[SecretStr]]):
    pass


class Day(Secret[date]):
    def _display(self) -> str:
        return "a day"


class Dated(BaseModel):
    day: Day


@dataclass
class Held:
    word: SecretStr


@dataclass(slots=True)
class Slotted:
    word: SecretStr


@pydantic.dataclasses.dataclass
class Aliased:
    word: SecretStr = Field(alias="passWord")


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (SecretStr("a"), "a"),
        (SecretStr(""), ""),
        (SecretBytes(b"a"), "a"),
        (Dated(day=Day(date(2026, 1, 2))), {"day": "2026-01-02"}),
        ([SecretStr("a"), "b"], ["a", "b"]),
        ((SecretStr("a"),), ["a"]),
        ({SecretStr("a")}, ["a"]),
        ({"x": {"y": SecretStr("a")}}, {"x": {"y": "a"}}),
        (Login(user="u", passWord=SecretStr("a")), {"user": "u", "passWord": "a"}),
        ([Login(user="u", passWord=SecretStr("a"))], [{"user": "u", "passWord": "a"}]),
        (Shown(word=SecretStr("a")), {"word": "shown a"}),
        (Words([SecretStr("a")]), ["a"]),
        (Held(SecretStr("a")), {"word": "a"}),
        (Slotted(SecretStr("a")), {"word": "a"}),
        (Aliased(passWord=SecretStr("a")), {"passWord": "a"}),
        ("**********", "**********"),
        ([uuid.UUID(int=1), SecretStr("a")], ["00000000-0000-0000-0000-000000000001", "a"]),
        (5, 5),
    ],
)
def test_they_are_json_with_secrets_in_plain(value: Any, sent: Any) -> None:
    assert sent_params({"x": value}) == {"x": sent}


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(NotJson):
        sent_params({"x": object()})


TOOLS = """
from typing import Literal
from pydantic import SecretStr
from mcp_app import Context, tool

@tool
async def opens(word: SecretStr) -> str:
    return word.get_secret_value().upper()

@tool
async def here(word: SecretStr, ctx: Context) -> str:
    return await ctx.call(opens, word=word)

@tool(placement="process")
async def there(word: SecretStr, ctx: Context) -> str:
    return await ctx.call(opens, word=word)
"""


@pytest.mark.usefixtures("imports_as_before")
@pytest.mark.parametrize("tool", ["here", "there"])
async def test_a_secret_that_a_tool_passes_on_arrives(tool: str, tmp_path: Path) -> None:
    file = tmp_path / "passing_tools.py"
    file.write_text(TOOLS)
    async with client(file) as c:
        run = c.run(tool, word="sesame")
        assert await run == "SESAME"
        assert "sesame" not in run.log.lower()
