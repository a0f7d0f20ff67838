"""@tool itself: names, titles, hints, limits; and the registry that serves tools by name."""

from __future__ import annotations

import math
import threading
from typing import Any

import pytest

from mcp_app import Registry, ToolDefinitionError, errors, tool
from mcp_app.protocol.access import ANONYMOUS


def scan_domain(domain: str) -> str:
    """Look at a domain.

    All of it.
    """
    return domain


def test_bare_and_called() -> None:
    for made in (tool(scan_domain), tool()(scan_domain)):
        assert (made.name, made.title) == ("scan_domain", "Scan domain")
        assert made.description == "Look at a domain.\n\nAll of it."
        assert (made.read_only, made.destructive, made.idempotent, made.time_limit) == (False, True, False, None)
        assert made("x") == made(domain="x") == "x"


def test_everything_can_be_said() -> None:
    made = tool(
        name="scan-it.now", title="T", description="", read_only=True, destructive=True, idempotent=False, time_limit=1
    )(scan_domain)
    assert (made.name, made.title, made.description, made.time_limit) == ("scan-it.now", "T", "", 1)
    # What changes nothing destroys nothing, however often it is called.
    assert (made.read_only, made.destructive, made.idempotent) == (True, False, True)


@pytest.mark.parametrize("name", ["a b", "ä", "a" * 129, "a\n", "a/b", "<lambda>"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ToolDefinitionError, match="is no name for a tool"):
        tool(name=name)(scan_domain)


def test_a_lambda_needs_a_name() -> None:
    with pytest.raises(ToolDefinitionError, match="no name"):
        tool(lambda: 5)
    assert tool(name="five")(lambda: 5).name == "five"


@pytest.mark.parametrize("limit", [0, -1, math.nan, math.inf, "5", [5]])
def test_time_limits_that_are_none(limit: Any) -> None:
    with pytest.raises(ToolDefinitionError, match="scan_domain: time_limit"):
        tool(time_limit=limit)(scan_domain)


@pytest.mark.parametrize("what", [5, "scan", int, object(), tool(scan_domain)])
def test_what_is_no_function(what: Any) -> None:
    with pytest.raises(ToolDefinitionError, match="is not a function"):
        tool(what)


def test_what_has_no_signature() -> None:
    with pytest.raises(ToolDefinitionError, match="max: its parameters are not known"):
        tool(max)


# --- the registry ----------------------------------------------------------------------------------------------------


def named(name: str) -> Any:
    return tool(name=name)(scan_domain)


def test_tools_by_name_in_the_order_given() -> None:
    tools = [named(name) for name in ("b", "a", "c")]
    registry = Registry(tools)
    assert list(registry) == tools
    assert len(registry) == 3
    assert registry.get("a", ANONYMOUS) is tools[1]


def test_two_of_one_name() -> None:
    registry = Registry([named("a")])
    with pytest.raises(
        ToolDefinitionError, match=r"Two tools have the name a: .*scan_domain \(line \d+\) and .*@tool\(name"
    ):
        registry.add(named("a"))
    assert len(registry) == 1


@pytest.mark.parametrize("what", [scan_domain, "a", None])
def test_what_is_no_tool(what: Any) -> None:
    with pytest.raises(ToolDefinitionError, match="is not a tool: decorate"):
        Registry([what])


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    registry = Registry([named("scan_domain"), named("scan_domains"), named("echo")])
    with pytest.raises(errors.UnknownTool) as raised:
        registry.get("scan_domian", ANONYMOUS)
    assert "'scan_domian'" in raised.value.message
    assert "Did you mean scan_domain or scan_domains?" in raised.value.object()["hint"]
    with pytest.raises(errors.UnknownTool) as raised:
        registry.get("x", ANONYMOUS)
    assert "Did you mean" not in raised.value.object()["hint"]


def test_an_absurd_name_costs_little_and_is_shown_in_short() -> None:
    registry = Registry([named("a" * 128)])
    with pytest.raises(errors.UnknownTool) as raised:
        registry.get("\r\n\0" + "a" * 1_000_000, ANONYMOUS)
    assert len(raised.value.message) < 300
    assert "\n" not in raised.value.message


def test_of_two_threads_that_add_one_name_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them looks for the name before either adds: the first waits in the middle until the second has looked."""
    looked = threading.Barrier(2)

    class Slow(dict[str, Any]):
        def get(self, *args: Any) -> Any:
            found = super().get(*args)
            try:
                looked.wait(0.2)  # broken where the two may not look at the same time
            except threading.BrokenBarrierError:
                pass
            return found

    registry = Registry()
    monkeypatch.setattr(registry, "_items", Slow())
    accepted: list[Any] = []
    refused: list[Any] = []

    def add() -> None:
        try:
            registry.add(tool(name="t")(scan_domain))
            accepted.append(1)
        except ToolDefinitionError:
            refused.append(1)

    threads = [threading.Thread(target=add) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(10)
    assert (len(accepted), len(refused)) == (1, 1)
