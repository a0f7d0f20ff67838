"""What comes with the package: what is offered, and what is not, for want of an extra."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

import mcp_app
from mcp_app import builtin
from mcp_app.builtin import SHIPPED, offer
from mcp_app.cli.banner import banner
from mcp_app.cli.shipped import not_offered
from mcp_app.testing import client

NEEDY = [(each, each.needs) for each in SHIPPED if each.needs]


def test_with_all_extras_everything_is_offered() -> None:
    found = offer()
    names = {each.name for each in (*found.tools, *found.resources, *found.prompts)}
    assert names == {name for each in SHIPPED for name in each.names}
    assert {"scan_domain", "query_database", "list_tables", "describe_table"} <= {each.name for each in found.tools}
    assert found.missing == ()


@pytest.mark.parametrize(("needs", "package"), [(needs, each) for _, needs in NEEDY for each in needs.packages])
def test_without_a_package_its_tools_alone_are_not_offered(
    monkeypatch: pytest.MonkeyPatch, needs: builtin.Extra, package: str
) -> None:
    real = builtin.find_spec
    monkeypatch.setattr(builtin, "find_spec", lambda name: None if name == package else real(name))

    found = offer()

    without = {name for each, extra in NEEDY if package in extra.packages for name in each.names}
    assert {each.name for each in found.missing} == without
    assert needs.hint in {each.hint for each in found.missing}
    assert not {each.name for each in found.tools} & without
    assert "query_database" in {each.name for each in found.tools}


def test_the_banner_says_what_is_not_offered_and_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not_offered() == []
    missing = (builtin.Missing("one", "pip install a"), builtin.Missing("two", "pip install a"))
    monkeypatch.setattr(builtin, "OFFERED", builtin.OFFERED._replace(missing=missing))
    lines = not_offered()
    assert lines == ["not offered: one, two (pip install a)"]
    assert "\n  not offered: one, two (pip install a)\n" in banner([], "/sse", builtin.TOOLS, None, missing=lines)


@pytest.mark.parametrize("options", [["--port", "0"], ["--stdio"]], ids=" ".join)
def test_it_is_said_at_the_start(options: list[str]) -> None:
    """In a process in which a library is not found."""
    program = f"""
import importlib.machinery, sys
find = importlib.machinery.PathFinder.find_spec
importlib.machinery.PathFinder.find_spec = lambda name, *more: None if name == "dns" else find(name, *more)
from mcp_app.cli import main
sys.exit(main(["serve", *{options!r}]))
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        killer = threading.Timer(50, server.kill)
        killer.start()
        try:
            lines = iter(server.stdout.readline, "")
            said = next(line for line in lines if "not offered: " in line)
        finally:
            server.stdin.close()
            server.terminate()
            server.wait(50)
            killer.cancel()
    assert "not offered: scan_domain (pip install dnspython cryptography 'httpx[http2]')" in said


def test_what_is_offered_is_known_without_importing_what_it_needs() -> None:
    program = """
import sys
import mcp_app.builtin
foreign = {"dns", "httpcore", "httpx", "cryptography", "anyio", "certifi", "idna", "asyncpg", "duckdb"}
print(sorted(foreign & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False)
    assert done.stdout == "[]\n", done.stderr


async def test_an_application_without_tools_of_its_own_offers_all_of_it_for_mcp_clients_as_well() -> None:
    async with client(mcp_app.create_app(), era="2026-07-28") as c:
        assert [each["name"] for each in await c.tools()] == [each.name for each in builtin.TOOLS]
        assert [each["uriTemplate"] for each in await c.resource_templates()] == [
            "database://{database}",
            "database://{database}/{table}",
        ]
        assert [each["name"] for each in await c.prompts()] == ["ask_database"]


async def test_one_with_tools_of_its_own_offers_nothing_else() -> None:
    @mcp_app.tool
    async def own() -> None:
        """Do nothing."""

    async with client(mcp_app.create_app(tools=[own]), era="2026-07-28") as c:
        assert [each["name"] for each in await c.tools()] == ["own"]
        assert await c.resource_templates() == []
        assert await c.prompts() == []


async def test_what_is_given_beside_the_tools_of_the_package_is_what_is_offered() -> None:
    @mcp_app.resource("note://one")
    def note() -> str:
        """One."""
        return "one"

    resources = mcp_app.Resources([note])
    async with client(mcp_app.create_app(resources=resources, prompts=()), era="2026-07-28") as c:
        assert [each["uri"] for each in await c.resources()] == ["note://one"]
        assert await c.resource_templates() == []
        assert await c.prompts() == []
        assert "query_database" in [each["name"] for each in await c.tools()]
