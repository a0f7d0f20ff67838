"""Values that JSON lacks: the run fails, and the message names the type, not the value."""

from __future__ import annotations

import datetime
import json
import math
import re
from typing import Any

import pytest
from author_calls import called
from pydantic import BaseModel

from mcp_app import Context, errors, tool
from mcp_app.runs.failure import public_error


class Held(BaseModel):
    a: dict[str, int]


class NaT(datetime.datetime):
    """As pandas': a datetime whose year is no number."""

    year = month = day = hour = property(lambda _: math.nan)  # type: ignore[assignment]


UNSENDABLE = [
    (b"\xff", "utf-8.*in a value of type bytes"),
    ({"a": [{"b": (b"\xff",)}]}, "utf-8.*in a value of type bytes"),
    (NaT(2000, 1, 1), "in a value of type NaT"),
    ([{"at": NaT(2000, 1, 1)}], "in a value of type NaT"),
    ("\udcff", "in a value of type str"),
    ({"\udcff": 1}, "in a value of type str"),
    (object(), "unknown type: <class 'object'>"),
]


@pytest.mark.parametrize(("value", "said"), UNSENDABLE, ids=range(len(UNSENDABLE)))
async def test_what_json_lacks_is_named_by_its_type_however_it_is_sent(value: Any, said: str) -> None:
    async def returned() -> Any:
        return value

    async def yielded() -> Any:
        yield value

    async def parted(ctx: Context) -> None:
        await ctx.partial(value)

    async def logged(ctx: Context) -> None:
        await ctx.log("info", "x", value)

    for function in (returned, yielded, parted, logged):
        with pytest.raises(ValueError if function in {parted, logged} else errors.ToolFailed) as raised:
            await called(tool(function), {})
        error = public_error(raised.value, f"The tool {function.__name__}", "r", 1 << 20)
        assert re.search(f"The tool {function.__name__} .*cannot be sent as JSON: .*{said}", error.message), (
            error.message
        )


@pytest.mark.parametrize("annotation", [datetime.datetime | None, datetime.date])
def test_a_time_that_is_none_is_named_where_one_is_declared(annotation: Any) -> None:
    def function() -> Any: ...

    function.__annotations__["return"] = annotation
    with pytest.raises(errors.ToolFailed, match="in a value of type NaT"):
        tool(function).encode_result(NaT(2000, 1, 1))


NAME = "cannot read \udcff.txt"
"""As os.fsdecode makes it of a name that is no UTF-8."""

SENT = "cannot read \ufffd.txt"


def _nothing() -> None: ...


def test_an_error_keeps_its_words() -> None:
    raised = errors.ToolError(NAME, hint=NAME, details=[{"field": "a", "problem": NAME}])
    error = public_error(raised, tool(_nothing), "r", 1000)
    assert error.object() == {
        "code": "tool_failed",
        "message": SENT,
        "hint": SENT,
        "details": [{"field": "a", "problem": SENT}],
    }


async def test_so_do_progress_and_log() -> None:
    async def f(ctx: Context) -> str:
        await ctx.progress(1, 2, NAME)
        await ctx.log("info", NAME)
        await ctx.log("info", NAME, {"a": 1})
        return "done"

    result, events = await called(tool(f), {})
    assert result == "done"
    assert [json.loads(event.data)["message"] for event in events] == [SENT] * 3


@pytest.mark.parametrize("annotation", [dict[str, int], list[dict[str, int]], Held])
def test_a_name_in_a_dict_is_not_sent_as_another(annotation: Any) -> None:
    value = {NAME: 1} if annotation == dict[str, int] else [{NAME: 1}] if annotation is not Held else Held(a={NAME: 1})
    right = {SENT: 1} if annotation == dict[str, int] else [{SENT: 1}] if annotation is not Held else Held(a={SENT: 1})

    def function() -> Any: ...

    function.__annotations__["return"] = annotation
    with pytest.raises(errors.ToolFailed, match="a name in a dict holds half of a surrogate pair"):
        tool(function).encode_result(value)
    assert SENT in json.loads(tool(function).encode_result(right).data.decode()).__repr__()
