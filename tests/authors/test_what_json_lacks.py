"""Values that JSON lacks: the run fails, and the message names the type, not the value."""

from __future__ import annotations

import datetime
import math
import re
from typing import Any

import pytest
from author_calls import called

from mcp_app import Context, errors, tool
from mcp_app.runs.failure import public_error


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
        error = public_error(raised.value, function.__name__, "r")
        assert re.search(f"The tool {function.__name__} .*cannot be sent as JSON: .*{said}", error.message), (
            error.message
        )


@pytest.mark.parametrize("annotation", [datetime.datetime | None, datetime.date])
def test_a_time_that_is_none_is_named_where_one_is_declared(annotation: Any) -> None:
    def function() -> Any: ...

    function.__annotations__["return"] = annotation
    with pytest.raises(errors.ToolFailed, match="in a value of type NaT"):
        tool(function).encode_result(NaT(2000, 1, 1))
