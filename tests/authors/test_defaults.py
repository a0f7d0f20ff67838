"""What a function gets by default is what a caller who sends the listed default would give it."""

from __future__ import annotations

import dataclasses
import datetime
import os.path
from enum import Enum, StrEnum
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from author_calls import taking
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    Field,
    HttpUrl,
    ImportString,
    Json,
    RootModel,
    SecretStr,
    field_validator,
)

from mcp_app import ToolDefinitionError


class Plain(BaseModel):
    x: int = 1


class Outer(BaseModel):
    plain: Plain = {"x": 2}  # type: ignore[assignment]


class Numbers(RootModel[list[int]]): ...


class Pair(NamedTuple):
    a: int


class Letter(Enum):
    B = "b"


class Word(StrEnum):
    B = "b"


@dataclasses.dataclass(eq=False)
class Row:
    x: int = 1


def explode(_: Any) -> Any:
    raise AssertionError("it was called")


class Checked(BaseModel):
    x: int = 1

    @field_validator("x")
    @classmethod
    def _check(cls, value: int) -> int:
        raise AssertionError("it was called")


class Started(BaseModel):
    x: int = 1

    def model_post_init(self, _: Any) -> None:
        raise AssertionError("it was called")


class Fresh(BaseModel):
    x: int = Field(default_factory=lambda: explode(0))


@pytest.mark.parametrize(
    ("annotation", "default", "value", "listed"),
    [
        (Plain, {"x": 2}, Plain(x=2), {"x": 2}),
        (Plain | None, {"x": 2}, Plain(x=2), {"x": 2}),
        (list[Plain], [{"x": 2}], [Plain(x=2)], [{"x": 2}]),
        (dict[str, Plain], {"a": {"x": 2}}, {"a": Plain(x=2)}, {"a": {"x": 2}}),
        (Outer, {}, Outer(plain=Plain(x=2)), {"plain": {"x": 2}}),
        (Pair, [1], Pair(1), [1]),
        (Pair, (1,), Pair(1), [1]),
        (Numbers, [1], Numbers([1]), [1]),
        (HttpUrl, "http://a", HttpUrl("http://a"), "http://a/"),
        (ByteSize, "1KB", ByteSize(1000), 1000),
        (Literal[Letter.B], "b", Letter.B, "b"),
        (Literal[Word.B], "b", Word.B, "b"),
        (list[Word], ["b"], [Word.B], ["b"]),
        (Annotated[str, BeforeValidator(str)], 5, "5", "5"),
        (Any, (1, 2), (1, 2), [1, 2]),
    ],
)
def test_a_default_is_handed_over_as_its_json_would_be(annotation: Any, default: Any, value: Any, listed: Any) -> None:
    made = taking(annotation, default)
    taken = made.arguments({})["x"]
    assert (taken, type(taken)) == (value, type(value))
    assert repr(taken) == repr(value)
    assert made.input_schema["properties"]["x"]["default"] == listed
    if annotation is not Any:
        assert made.arguments({"x": listed})["x"] == value


@pytest.mark.parametrize(
    ("annotation", "default", "value"),
    [
        (SecretStr, "k", SecretStr("k")),
        (SecretStr | None, SecretStr("k"), SecretStr("k")),
        (list[SecretStr], ["k"], [SecretStr("k")]),
        (Json[int], "5", 5),
    ],
)
def test_a_default_whose_json_is_another_value_is_not_listed(annotation: Any, default: Any, value: Any) -> None:
    made = taking(annotation, default)
    assert "default" not in made.input_schema["properties"]["x"]
    assert "required" not in made.input_schema
    assert made.arguments({})["x"] == value


def test_an_instance_stays_what_it_is() -> None:
    row = Row(x=3)
    made = taking(Row, row)
    assert made.arguments({})["x"].x == 3
    assert made.input_schema["properties"]["x"]["default"] == {"x": 3}
    assert taking(Checked, Checked.model_construct(x=2)).arguments({})["x"].x == 2


def test_calls_do_not_share_a_default() -> None:
    made = taking(list[Plain], [{"x": 2}])
    made.arguments({})["x"].append("more")
    assert made.arguments({})["x"] == [Plain(x=2)]
    unlisted = taking(list[SecretStr], ["k"])
    unlisted.arguments({})["x"].append("more")
    assert unlisted.arguments({})["x"] == [SecretStr("k")]


def test_what_cannot_be_copied_is_handed_over() -> None:
    assert taking(ImportString, "os.path").arguments({}) == {"x": os.path}


@pytest.mark.parametrize(
    ("annotation", "default", "of"),
    [
        (Checked, {"x": 2}, "Checked"),
        (tuple[Checked, Checked], ({"x": 2}, {"x": 2}), "tuple"),
        (Started, {"x": 2}, "Started"),
        (Annotated[datetime.date, AfterValidator(explode)], "2020-01-02", "date"),
    ],
)
def test_what_only_a_function_of_the_authors_could_make_is_refused(annotation: Any, default: Any, of: str) -> None:
    with pytest.raises(ToolDefinitionError, match=r"function: the parameter x .*its default .*Write .*") as refused:
        taking(annotation, default)
    assert f"of type {of}" in str(refused.value)


def test_what_is_made_anew_for_each_call_is_not_made_at_the_definition() -> None:
    with pytest.raises(ToolDefinitionError, match="its default"):
        taking(Fresh, {"x": 1})
