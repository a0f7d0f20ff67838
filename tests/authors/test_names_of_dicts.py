"""Names of dicts, and Flags, as they are listed, taken and sent: held against `jsonschema`."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from enum import CONFORM, Flag, IntFlag
from typing import Annotated, Any, Literal

import pytest
from author_calls import is_listed, returning, taking
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import Field

from mcp_app import errors


class Kept(IntFlag):
    A = 1
    B = 2


class Strict(Flag):
    A = 1
    B = 2


class Gap(Flag):
    A = 1
    B = 8


class Conforming(Flag, boundary=CONFORM):
    A = 1
    B = 2


class Wide(Flag):
    A = 1
    B = 2**40


NAMES: list[tuple[Any, dict[str, Any], list[str]]] = [
    (Kept, {"1": Kept.A, "3": Kept.A | Kept.B, "8": Kept(8)}, ["A", "01", "1.0", ""]),
    (Strict, {"0": Strict(0), "3": Strict.A | Strict.B}, ["A", "4", "8", "03"]),
    (Gap, {"9": Gap.A | Gap.B, "0": Gap(0)}, ["2", "10", "x"]),
    (Conforming, {"3": Conforming.A | Conforming.B}, ["A", ""]),
    (float, {"1.5": 1.5, "1": 1.0, "-2e5": -200000.0, "1e+22": 1e22}, ["abc", "NaN", "inf", " 1", "01", "1_0", ""]),
    (float | Decimal, {"1.5": 1.5}, ["abc", "NaN"]),
    (int | Literal["a"], {"1": 1, "a": "a"}, ["abc", "01"]),
    (bool | int, {"true": True, "2": 2}, ["True", "x"]),
    (int | str, {"1": 1, "a": "a", "01": "01"}, []),
    (int | None, {"1": 1}, ["None", "null", ""]),
    (str | None, {"None": "None"}, []),
    (Literal[2, True], {"2": 2, "true": True}, ["1", "True"]),
    (Literal[1, None], {"1": 1, "None": None}, ["null"]),
    (Annotated[int, Field(ge=5, le=7)], {"5": 5, "7": 7}, ["4", "8"]),
    (datetime.date, {"2020-01-02": datetime.date(2020, 1, 2)}, ["x"]),
    (Annotated[str, Field(min_length=2)], {"ab": "ab"}, ["a"]),
]


@pytest.mark.parametrize(("names", "right", "wrong"), NAMES)
def test_a_name_that_is_listed_is_taken_and_no_other(names: Any, right: dict[str, Any], wrong: list[str]) -> None:
    made = taking(dict[names, int])
    for name, value in right.items():
        assert is_listed(made, {name: 1})
        [(taken, _)] = made.arguments({"x": {name: 1}})["x"].items()
        assert (taken, type(taken)) == (value, type(value))
    for name in wrong:
        assert not is_listed(made, {name: 1}), name
        with pytest.raises(errors.InvalidParams):
            made.arguments({"x": {name: 1}})


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        *((names, list(right.values())) for names, right, _ in NAMES),
        (float, [1e300, 5e-324, -0.0, 1.7976931348623157e308]),
        (int | None, [1, None]),
        (Literal[1, None], [1, None]),
        (str | None, ["a", None]),
        (Wide, [Wide.A, Wide.B]),
    ],
)
def test_a_name_that_is_sent_is_listed(names: Any, keys: list[Any]) -> None:
    made = returning(dict[names, int])
    sent = json.loads(made.encode_result(dict.fromkeys(keys, 1)).data)
    assert len(sent) == len(keys)
    Draft202012Validator(dict(made.output_schema or {}), format_checker=FormatChecker()).validate(sent)


@pytest.mark.parametrize(
    ("flags", "right", "wrong"),
    [
        (Kept, [1, 3, 8], ["x", 1.5, None]),
        (Strict, [0, 1, 2, 3], [4, 8, "x"]),
        (Gap, [0, 1, 8, 9], [2, 10, 16]),
        (Conforming, [0, 3], ["x"]),
        (Wide, [1, 2**40], [2, 2**41]),
    ],
)
def test_a_flag_is_taken_as_it_is_listed_by_post_and_by_get(flags: Any, right: list[Any], wrong: list[Any]) -> None:
    made = taking(flags)
    for value in right:
        assert is_listed(made, value)
        assert made.arguments({"x": value}) == {"x": flags(value)}
        assert made.from_query({}, {"x": [str(value)]}).arguments == {"x": flags(value)}
        sent = returning(flags).encode_result(flags(value)).data
        assert json.loads(sent) == value
    for value in wrong:
        assert not is_listed(made, value)
        with pytest.raises(errors.InvalidParams):
            made.arguments({"x": value})
        with pytest.raises(errors.InvalidParams):
            made.from_query({}, {"x": [str(value)]})


def test_what_is_no_name_is_told_without_types_of_pydantics() -> None:
    annotation = dict[Annotated[int, Field(ge=5)] | Literal["a"], int]
    with pytest.raises(errors.InvalidParams) as refused:
        taking(annotation).arguments({"x": {"b": 1}})
    assert {each["field"] for each in refused.value.details or ()} == {"params.x.b.[key]"}
    assert "function-" not in str(refused.value)


@pytest.mark.parametrize("flag", [Kept, Strict, Gap, Conforming, Wide])
@pytest.mark.parametrize("value", [False, True])
def test_a_truth_value_is_no_number_of_a_flag(flag: type[Flag], value: bool) -> None:
    """Python made a member of False, equal to that of 0, which was then sent as false."""
    made = taking(flag)
    with pytest.raises(errors.InvalidParams):
        made.arguments({"x": value})
    with pytest.raises(errors.ToolFailed):
        returning(flag).encode_result(value)
    assert returning(flag).encode_result(flag(0)).data == b"0"
