"""`mcp_app.testing`: a caller with given scopes."""

from __future__ import annotations

import pytest

from mcp_app import Access, Context, Settings, create_app, errors, tool
from mcp_app.testing import ERAS, Era, client

each_era = pytest.mark.parametrize("era", ERAS)

ANNA = Access("anna", scopes=frozenset({"reports"}))
BEN = Access("ben", scopes=frozenset())
CARA = Access("cara", scopes=frozenset(), steps_up=True)


@tool(read_only=True, scopes=["reports"])
async def report(ctx: Context) -> str:
    """The figures of the quarter."""
    return f"{ctx.principal}: {', '.join(sorted(ctx.scopes or ()))}"


@each_era
async def test_a_tool_is_called_by_who_has_its_scopes(era: Era) -> None:
    async with client(report, era=era, access=ANNA) as c:
        assert await c.run(report) == "anna: reports"
        assert [each["name"] for each in await c.tools()] == ["report"]


@each_era
async def test_to_who_cannot_get_them_there_is_none(era: Era) -> None:
    async with client(report, era=era, access=BEN) as c:
        assert await c.tools() == []
        with pytest.raises(errors.UnknownTool):
            await c.run(report)


@each_era
async def test_who_can_is_told_which(era: Era) -> None:
    async with client(report, era=era, access=CARA) as c:
        assert [each["name"] for each in await c.tools()] == ["report"]
        with pytest.raises(errors.InsufficientScope, match="reports"):
            await c.run(report)


@each_era
async def test_callers_of_one_application_have_sessions_of_their_own(era: Era) -> None:
    async with client(report, era=era, access=ANNA) as c:
        assert await c.run(report) == "anna: reports"
        dora = c.with_options(access=Access("dora", scopes=frozenset({"reports", "admin"})))
        assert await dora.run(report) == "dora: admin, reports"
        assert await c.run(report) == "anna: reports"


async def test_who_shows_no_credentials_is_refused() -> None:
    async with client(report, access=ANNA) as c:
        nobody = c.with_options(access=None)
        with pytest.raises(errors.Unauthorized):
            await nobody.run(report)


async def test_scopes_imply_what_the_settings_say() -> None:
    settings = Settings(scopes="admin>reports")
    async with client(report, settings=settings, access=Access("eve", scopes=frozenset({"admin"}))) as c:
        assert await c.run(report) == "eve: admin, reports"


async def test_an_application_that_asks_nobody_is_told_of_nobody() -> None:
    async with client(report) as c:
        with pytest.raises(ValueError, match=r"give client\(…\) one"):
            c.with_options(access=ANNA)
    with pytest.raises(TypeError, match="verifiers of its own"):
        async with client(create_app(tools=[report]), access=ANNA):
            pass
