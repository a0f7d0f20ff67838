"""A constraint that would fail at each call is refused when it is defined; one that can apply is not."""

from __future__ import annotations

import datetime
import decimal
import fractions
import ipaddress
import uuid
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from author_calls import taking
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, HttpUrl, SecretStr

from mcp_app import ToolDefinitionError, tool


class Model(BaseModel):
    x: int = 1


def doubled(value: Any) -> Any:
    return value * 2


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (Annotated[int, Field(pattern="a")], "pattern='a' cannot apply to 1"),
        (Annotated[bool, Field(pattern="a")], "pattern='a' cannot apply to True"),
        (Annotated[datetime.date, Field(pattern="a")], "pattern='a' cannot apply to datetime.date"),
        (Annotated[Literal[1], Field(pattern="a")], "pattern='a' cannot apply to 1"),
        (Annotated[Model, Field(ge=2)], "ge=2 cannot apply to a Model: it is not compared"),
        (Annotated[HttpUrl, Field(ge=2)], "ge=2 cannot apply to Url"),
        (Annotated[uuid.UUID, Field(ge=2)], "ge=2 cannot apply to"),
        (Annotated[complex, Field(ge=2)], "ge=2 cannot apply to 1j"),
        (Annotated[SecretStr, Field(ge="a")], "ge='a' cannot apply to a SecretStr"),
        (Annotated[ipaddress.IPv4Address, Field(ge=2)], "ge=2 cannot apply to a IPv4Address"),
        (Annotated[Any, Field(max_length=2)], "max_length=2 cannot apply to each value; declare"),
        (Annotated[object, Field(ge=2)], "ge=2 cannot apply to each value; declare"),
        (Annotated[str, AfterValidator(len), Field(max_length=1)], "max_length=1 cannot apply to 1"),
    ],
)
def test_a_constraint_that_fails_at_each_call_is_refused(annotation: Any, said: str) -> None:
    with pytest.raises(ToolDefinitionError, match="the parameter x cannot be filled") as refused:
        taking(annotation)
    assert said in str(refused.value)

    def function() -> None: ...

    function.__annotations__ = {"return": annotation}
    with pytest.raises(ToolDefinitionError, match="function: it returns") as refused:
        tool(function)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("annotation", "given", "value"),
    [
        (Annotated[Path, AfterValidator(str), Field(max_length=9)], "x", "x"),
        (Annotated[list[int], AfterValidator(sum), Field(ge=5)], [2, 3], 5),
        (Annotated[str, AfterValidator(len), Field(ge=2)], "abc", 3),
        (Annotated[str, AfterValidator(doubled), Field(max_length=4)], "ab", "abab"),
        (Annotated[Any, AfterValidator(doubled), Field(ge=2)], 3, 6),
        (Annotated[Any, BeforeValidator(int), Field(ge=2)], "3", 3),
        (Annotated[ipaddress.IPv4Address, Field(ge=ipaddress.IPv4Address(1))], "0.0.0.2", ipaddress.IPv4Address(2)),
        (Annotated[fractions.Fraction, Field(ge=1)], "3/2", fractions.Fraction(3, 2)),
        (Annotated[decimal.Decimal, Field(ge=1, max_digits=3)], "1.5", decimal.Decimal("1.5")),
        (Annotated[SecretStr, Field(max_length=3)], "abc", SecretStr("abc")),
        (Annotated[str | None, Field(pattern="^a")], "ab", "ab"),
        (Annotated[Literal["a", "b"], Field(pattern="a")], "a", "a"),
        (Annotated[dict[str, int], Field(min_length=1)], {"a": 1}, {"a": 1}),
    ],
)
def test_a_constraint_that_can_apply_is_taken(annotation: Any, given: Any, value: Any) -> None:
    assert taking(annotation).arguments({"x": given}) == {"x": value}
