"""PostgreSQL: which roles and settings are refused when the server starts, in one line that has no secret in it."""

from __future__ import annotations

import logging
import re

import pytest
from postgres_server import ESCAPED, PASSWORD, PostgresServer
from postgres_shop import asked, opened

from mcp_app.builtin.query_database.database import CannotOpen

CANDIDATE = f"drop role if exists candidate; create role candidate login password '{PASSWORD}';"
REACHES = "which reaches beyond"

REFUSED: dict[str, str] = {
    "alter role candidate superuser": "its role is a superuser, and nothing is read-only for one",
    "alter role candidate replication": "its role is one for REPLICATION",
    "grant pg_read_server_files to candidate": f"its role is a member of pg_read_server_files, {REACHES}",
    "grant pg_write_server_files to candidate": f"its role is a member of pg_write_server_files, {REACHES}",
    "grant pg_execute_server_program to candidate": f"its role is a member of pg_execute_server_program, {REACHES}",
    "grant pg_signal_backend to candidate": f"its role is a member of pg_signal_backend, {REACHES}",
    "grant pg_execute_server_program to one; grant one to two; grant two to candidate": (
        f"its role is a member of pg_execute_server_program, {REACHES}"
    ),
    "grant admin to one; grant one to candidate; alter role candidate noinherit": (
        "its role is a member of admin, which is a superuser"
    ),
    "alter role two replication; grant two to one; grant one to candidate": "which is one for REPLICATION",
    "grant execute on function pg_read_file(text) to candidate": "its role may execute pg_read_file(text)",
    "grant execute on function lo_export(oid, text) to one; grant one to candidate": "its role may execute lo_export",
    "grant execute on function dblink_exec(text, text) to public": "its role may execute dblink_exec(text,text)",
    "grant execute on function dblink_connect(text), dblink(text, text) to candidate": (
        "its role may execute dblink(text,text), dblink_connect(text), which reach"
    ),
}
"""What is done to a role, and what is said of it then."""

UNDONE = """
    revoke execute on function dblink_exec(text, text) from public;
    drop owned by candidate, one, two; drop role candidate, one, two;
"""


@pytest.mark.parametrize("grants", REFUSED)
async def test_a_role_that_reaches_beyond_a_transaction_is_refused(postgres: PostgresServer, grants: str) -> None:
    postgres.sql(f"{CANDIDATE} create role one; create role two; {grants}")
    try:
        with pytest.raises(CannotOpen) as raised:
            async with opened(postgres, "candidate"):
                pass
        line = str(raised.value)
        assert line.startswith("MCP_APP_DATABASES: shop: ")
        assert REFUSED[grants] in line
        assert "\n" not in line
        assert PASSWORD not in line
    finally:
        postgres.sql(UNDONE)


async def test_a_role_that_is_set_by_the_url_is_looked_at_by_who_signs_in(postgres: PostgresServer) -> None:
    with pytest.raises(CannotOpen, match="its role is a superuser"):
        async with opened(postgres, "admin", query="?options=-c%20role%3Dreader"):
            pass


@pytest.mark.parametrize(
    "grants",
    [
        "select 1",
        "alter role candidate createdb createrole",  # of which nothing is left in a read-only transaction
        "alter role candidate bypassrls",  # reads more rows, which is what an operator grants
        "grant pg_read_all_data, pg_monitor to candidate",
        "grant writer to candidate",
    ],
)
async def test_other_roles_are_not(postgres: PostgresServer, grants: str) -> None:
    postgres.sql(f"{CANDIDATE} {grants}")
    try:
        async with opened(postgres, "candidate") as database:
            assert (await asked(database, "select current_user")).cell == "candidate"
    finally:
        postgres.sql("drop owned by candidate; drop role candidate")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ({"password": "wrong-secret"}, "it refuses the role or its password"),
        ({"role": "nobody", "password": "wrong-secret"}, "it refuses the role or its password"),
        ({"database": "nowhere"}, "the server has no database of that name"),
        ({"query": "?sslmode=require"}, "no connection can be made"),
        (
            {"query": "?sslmode=wrong-secret"},
            "the URL is not of the form postgresql://role:password@host:5432/database",
        ),
        ({"query": "?no_such_setting=1"}, "the URL has an option that the server does not know"),
    ],
)
async def test_what_is_wrong_with_a_url_is_said_without_it(
    postgres: PostgresServer, caplog: pytest.LogCaptureFixture, url: dict[str, str], why: str
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(CannotOpen) as raised:
        async with opened(postgres, **url):
            pass
    line = str(raised.value)
    assert line.startswith(f"MCP_APP_DATABASES: shop: {why}")
    assert "\n" not in line
    for text in (line, caplog.text):
        assert PASSWORD not in text
        assert ESCAPED not in text
        assert "wrong-secret" not in text
    assert str(postgres.port) not in line
    assert "127.0.0.1" not in line


async def test_a_server_that_is_not_there(postgres: PostgresServer, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(CannotOpen, match="shop: no connection can be made"):
        async with opened(_Elsewhere(postgres.port)):  # type: ignore[arg-type]
            pass
    assert re.search("the database shop cannot be opened: .*1", caplog.text)  # the operator's log says where


class _Elsewhere:
    def __init__(self, port: int) -> None:
        self._port = port

    def url(self, role: str) -> str:
        return f"postgresql://{role}:{ESCAPED}@127.0.0.1:1/shop"
