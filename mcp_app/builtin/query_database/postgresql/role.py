"""Which roles are refused: those that reach beyond what a read-only transaction holds. A question to the catalog.

A role that this one is a member of counts, directly or not: any query can call the function `set_config('role', …)`.
"""

from __future__ import annotations

from typing import Any

ROLES = ("pg_read_server_files", "pg_write_server_files", "pg_execute_server_program", "pg_signal_backend")
"""The server's files and programs, and the sessions of others."""

FUNCTIONS = (
    "pg_read_file",
    "pg_read_binary_file",
    "pg_ls_dir",
    "pg_stat_file",
    "lo_import",
    "lo_export",
    "pg_file_write",
    "pg_reload_conf",
    "pg_rotate_logfile",
    "pg_promote",
    "pg_switch_wal",
    "pg_create_restore_point",
    "pg_backup_start",
    "pg_start_backup",
)
"""Superusers' by default, and granted one by one: the server's files, and the server itself."""

CONNECTING = ("dblink", "dblink_exec", "dblink_connect", "dblink_connect_u")
"""Of the extension dblink, everybody's by default: sessions of their own, in which everything can be written."""

_ATTRIBUTES = """
SELECT rolname::pg_catalog.text AS name, rolsuper AS super, rolreplication AS replication,
       rolname = SESSION_USER AS own, rolname::pg_catalog.text = ANY ($1::pg_catalog.text[]) AS powerful
  FROM pg_catalog.pg_roles WHERE pg_catalog.pg_has_role(SESSION_USER, oid, 'MEMBER')
   AND (rolsuper OR rolreplication OR rolname::pg_catalog.text = ANY ($1::pg_catalog.text[]))
 ORDER BY own DESC, super DESC, name
"""

_EXECUTABLE = """
SELECT p.oid::pg_catalog.regprocedure::pg_catalog.text FROM pg_catalog.pg_proc p
 WHERE (p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
           AND p.proname::pg_catalog.text = ANY ($1::pg_catalog.text[])
        OR p.proname::pg_catalog.text = ANY ($2::pg_catalog.text[]) AND EXISTS (
           SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
            WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
              AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
              AND e.extname = 'dblink'))
   AND EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE pg_catalog.pg_has_role(SESSION_USER, r.oid, 'MEMBER')
                  AND pg_catalog.has_function_privilege(r.oid, p.oid, 'EXECUTE'))
   AND NOT pg_catalog.pg_has_role(SESSION_USER, p.proowner, 'MEMBER')
 ORDER BY 1 LIMIT 3
"""


class Powerful(Exception):
    """In one line, what the role is, and what to do."""


async def refuse_powerful(connection: Any) -> None:
    """Raises Powerful."""
    for found in await connection.fetch(_ATTRIBUTES, list(ROLES)):
        is_ = "its role is" if found["own"] else f"its role is a member of {found['name']}, which is"
        if found["super"]:
            raise Powerful(f"{is_} a superuser, and nothing is read-only for one: {_MAKE_ANOTHER}")
        if found["replication"]:
            raise Powerful(f"{is_} one for REPLICATION, which reaches beyond a transaction: {_MAKE_ANOTHER}")
        raise Powerful(
            f"its role is a member of {found['name']}, which reaches beyond what a transaction holds: {_MAKE_ANOTHER}"
        )
    if functions := [found[0] for found in await connection.fetch(_EXECUTABLE, list(FUNCTIONS), list(CONNECTING))]:
        raise Powerful(
            f"its role may execute {', '.join(functions)}, which reaches beyond what a transaction holds:"
            " REVOKE EXECUTE ON FUNCTION … FROM PUBLIC, or from who was granted it"
        )


_MAKE_ANOTHER = "make a role that may only read (docs/reference-query-postgresql.md)"
