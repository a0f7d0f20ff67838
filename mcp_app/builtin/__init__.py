"""The tools that come with the package, written only with the public names of `mcp_app`.

Importing this needs no extra. A tool whose extra is not installed is not offered: `missing` says so, for whoever starts
a server. What a tool does is in its own folder.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import NamedTuple

from mcp_app import Prompt, Resource, Tool


class Extra(NamedTuple):
    """What does not come with the package itself: by the names that are imported, and how they are installed."""

    packages: tuple[str, ...]
    hint: str


SCAN = Extra(
    ("dns", "cryptography", "httpcore", "h2", "certifi", "idna", "anyio"),
    "pip install dnspython cryptography 'httpx[http2]'",
)
"""The extra `scan`."""

SQL = Extra(("duckdb",), "pip install duckdb")
"""The extra `sql`."""


class Shipped(NamedTuple):
    """What one module offers, by name: tools, resources and prompts; and what it needs, if anything."""

    module: str
    names: tuple[str, ...]
    needs: Extra | None = None


SHIPPED = (
    Shipped("scan_domain.tool", ("scan_domain",), SCAN),
    Shipped("query_database.tool", ("query_database", "list_tables", "describe_table")),
    Shipped("analyze_dataset.tool", ("analyze_dataset",), SQL),
    Shipped("query_database.reading", ("tables_of_database", "structure_of_table", "ask_database")),
    Shipped("run_workflow.tool", ("run_workflow",)),
)
"""In the order in which they are offered."""


class Missing(NamedTuple):
    """What is not offered, and how to have it."""

    name: str
    hint: str


class Offer(NamedTuple):
    """What a server without a file of its own offers."""

    tools: tuple[Tool, ...]
    resources: tuple[Resource, ...]
    prompts: tuple[Prompt, ...]
    missing: tuple[Missing, ...]


def offer() -> Offer:
    """All that comes with the package and has what it needs."""
    found: list[Tool | Resource | Prompt] = []
    missing: list[Missing] = []
    for each in SHIPPED:
        if each.needs is not None and any(find_spec(package) is None for package in each.needs.packages):
            missing += [Missing(name, each.needs.hint) for name in each.names]
            continue
        module = importlib.import_module(f"{__name__}.{each.module}")
        found += [getattr(module, name) for name in each.names]
    return Offer(
        tuple(each for each in found if isinstance(each, Tool)),
        tuple(each for each in found if isinstance(each, Resource)),
        tuple(each for each in found if isinstance(each, Prompt)),
        tuple(missing),
    )


OFFERED = offer()
"""Once a process: what is installed later needs a new start, as all else that was imported."""

TOOLS = OFFERED.tools
RESOURCES = OFFERED.resources
PROMPTS = OFFERED.prompts
