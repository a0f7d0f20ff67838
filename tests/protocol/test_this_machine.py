"""Which hosts are this machine."""

from __future__ import annotations

import pytest

from mcp_app.protocol.this_machine import is_this_machine

OURS = ["localhost", "LocalHost", "127.0.0.1", "127.7.7.7", "::1", "::ffff:127.0.0.1"]
OTHERS = [
    "",
    ".",
    "localhost.",
    "localhost.example.com",
    "10.0.0.7",
    "0.0.0.0",
    "::",
    "::ffff:10.0.0.7",
    "127.1",
    "[::1]",
    "a" * 300,
]


@pytest.mark.parametrize("host", OURS)
def test_its_name_and_what_nobody_else_can_reach(host: str) -> None:
    assert is_this_machine(host)


@pytest.mark.parametrize("host", OTHERS)
def test_every_other_name_and_address_may_be_anybodys(host: str) -> None:
    assert not is_this_machine(host)
