"""The arrows of the architecture hold: `import_policy.py` allows each import, or the message says which."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from import_policy import EVENT_LOGS, EXCEPTIONS, FOREIGN, FRAMEWORKS, IMPURE, MAY_IMPORT, PACKAGE, PLAIN_MODULES
from import_reader import Import, imports, packages, sources

ROOT = Path(__file__).parent.parent.parent


def part_of(module: str) -> str:
    """The part a module belongs to: the longest name of the table that it is, or is in; else what is under mcp_app."""
    name = module.removeprefix(PACKAGE).removeprefix(".")
    if not name:
        return "public"
    named = [part for part in MAY_IMPORT if "." in part and (name == part or name.startswith(f"{part}."))]
    return max(named, key=len, default=name.partition(".")[0])


def is_ours(module: str) -> bool:
    return module == PACKAGE or module.startswith(f"{PACKAGE}.")


def violations(found: Iterable[Import]) -> list[str]:
    return [f"{each}: {problem}" for each in found if (problem := broken_rule(each))]


def broken_rule(each: Import) -> str | None:
    importer = part_of(each.importer)
    if importer not in MAY_IMPORT:
        return f"{importer!r} is a new part: say in import_policy.py what it may import, and who may import it"
    return _broken_by_ours(each, importer) if is_ours(each.imported) else _broken_by_foreign(each, importer)


def _broken_by_ours(each: Import, importer: str) -> str | None:
    imported = part_of(each.imported)
    if importer == imported == "eventlog":
        one, other = each.importer.split(".")[2:3], each.imported.split(".")[2:3]
        if one != other and set(one) | set(other) <= set(EVENT_LOGS) and one and other:
            return "one event log never imports another"
    allowed = imported in MAY_IMPORT[importer].split() or (each.importer, each.imported) in EXCEPTIONS
    if importer == imported or allowed:
        return None
    return f"{importer} may import of ours: {MAY_IMPORT[importer] or 'nothing'}"


def _broken_by_foreign(each: Import, importer: str) -> str | None:
    top = each.imported.partition(".")[0]
    if importer == "protocol" and top in IMPURE:
        return "protocol is pure: no clock, chance, loop, thread, file, socket or log"
    if top in sys.stdlib_module_names:
        return None
    if top not in FOREIGN:
        return f"{top} is a new dependency: say in import_policy.py which part may import it"
    if top in FRAMEWORKS and each.importer in PLAIN_MODULES:
        return "this module is a function of plain values: it knows neither Quart nor Hypercorn"
    if FOREIGN[top] != "*" and importer not in FOREIGN[top].split():
        return f"{top} may be imported by: {FOREIGN[top]}"
    return None


def test_every_import_is_allowed() -> None:
    found = imports(sources(ROOT, PACKAGE), packages(ROOT, PACKAGE))
    assert len(found) > 100  # that there is nothing to read would be no success
    broken = violations(found)
    assert not broken, "\n" + "\n".join(broken)


def test_no_exception_outlives_its_import() -> None:
    found = {(each.importer, each.imported) for each in imports(sources(ROOT, PACKAGE), packages(ROOT, PACKAGE))}
    assert set(EXCEPTIONS) <= found


def test_the_table_has_no_circle() -> None:
    # But for one: mcp_app/__init__.py gets create_app at its first use, as a test below shows.
    table = {part: allowed.split() for part, allowed in MAY_IMPORT.items()}
    table["public"].remove("app")
    TopologicalSorter(table).prepare()


def test_the_table_names_no_unknown_part() -> None:
    named = {part for allowed in [*MAY_IMPORT.values(), *FOREIGN.values()] for part in allowed.split()} - {"*"}
    assert named <= set(MAY_IMPORT)


# --- the arrows of the architecture, one sentence each; that the check would find each of them broken -----------------

BROKEN = {
    "protocol imports nothing of ours": ("protocol/event.py", "from ..config.settings import Settings"),
    "nor of Quart": ("protocol/event.py", "import quart"),
    "nor a clock": ("protocol/stream.py", "def now():\n    from time import monotonic"),
    "nor a loop": ("protocol/stream.py", "import asyncio.events"),
    "authoring never imports web": ("authoring/tool.py", "from ..web import guard"),
    "runs never imports web": ("runs/run.py", "from mcp_app.app import create_app"),
    "eventlog never imports web": ("eventlog/memory.py", "import mcp_app.web.guard"),
    "nor under TYPE_CHECKING": ("eventlog/memory.py", "if TYPE_CHECKING:\n    from mcp_app import web"),
    "eventlog never imports runs": ("eventlog/memory.py", "from ..runs import Run"),
    "one event log never imports another": ("eventlog/redis.py", "from .memory import Memory"),
    "however it is written": ("eventlog/sqlite.py", "from . import memory"),
    "web does not import app": ("web/frames.py", "from .. import app"),
    "runs imports no middleware": ("runs/run.py", "from ..middleware import wrap"),
    "only app imports builtin": ("cli.py", "from .builtin import scan_domain"),
    "builtin has the public names only": ("builtin/echo.py", "from mcp_app.authoring.tool import tool"),
    "also by way of the package": ("builtin/echo.py", "from mcp_app import authoring"),
    "call knows only the protocol": ("client/client.py", "from ..config.settings import Settings"),
    "server does not import web": ("server/run.py", "from ..app import create_app"),
    "nothing imports cli": ("app.py", "from .cli import main"),
    "the lane does not know Quart": ("web/asgi/body.py", "from quart import request"),
    "nor what is behind Quart": ("web/asgi/body.py", "from ..quart import blueprint"),
    "nor the endpoint": ("web/asgi/body.py", "from ...endpoint import Endpoint"),
    "the endpoint does not know Quart": ("endpoint.py", "from quart import request"),
    "runs does not know Quart": ("runs/run.py", "from quart import request"),
    "dnspython stays in its tool": ("web/quart/blueprint.py", "import dns.resolver"),
    "an unknown dependency is refused": ("web/quart/blueprint.py", "import numpy as np"),
    "an unknown part is refused": ("everything.py", "import json"),
}


@pytest.mark.parametrize(("file", "source"), BROKEN.values(), ids=BROKEN)
def test_a_broken_arrow_is_found(tmp_path: Path, file: str, source: str) -> None:
    broken = written(tmp_path, file, source)
    assert len(broken) == 1
    module = f"{PACKAGE}.{file.removesuffix('.py').replace('/', '.')}"
    assert broken[0].startswith(f"{module} imports ")


ALLOWED = {
    "relative, from a package itself": ("runs/__init__.py", "from ..eventlog import Log\nfrom .run import Run"),
    "the public names in a tool": ("builtin/echo.py", "from mcp_app import tool, Result\nimport dns.resolver"),
    "the application joins the parts": ("app.py", "from .builtin import echo\nfrom .web import guard"),
}


@pytest.mark.parametrize(("file", "source"), ALLOWED.values(), ids=ALLOWED)
def test_an_allowed_import_is_not(tmp_path: Path, file: str, source: str) -> None:
    assert written(tmp_path, file, source) == []


def written(folder: Path, file: str, source: str) -> list[str]:
    """What is said of a package like ours with one more file."""
    for name in (
        "eventlog/memory.py",
        "eventlog/redis.py",
        "runs/run.py",
        "authoring/tool.py",
        "app.py",
        "web/guard.py",
    ):
        (folder / PACKAGE / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / PACKAGE / name).touch()
    (folder / PACKAGE / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / PACKAGE / file).write_text(source)
    for child in [folder / PACKAGE, *(folder / PACKAGE).iterdir()]:
        if child.is_dir():
            (child / "__init__.py").touch()
    return violations(imports(sources(folder, PACKAGE), packages(folder, PACKAGE)))


# --- what only running it shows --------------------------------------------------------------------------------------

LIBRARIES = {"quart", "werkzeug", "hypercorn", "h11", "h2", "dns", "httpx", "rich", "cryptography"}
"""What a file of tools needs none of."""


def loaded_by(code: str) -> set[str]:
    """What a fresh interpreter has loaded in the end: the first parts of the modules' names."""
    program = f"import sys; {code}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=50, check=True
    )
    return set(done.stdout.split())


def test_importing_the_package_or_the_command_line_imports_no_library() -> None:
    loaded = loaded_by("import mcp_app, mcp_app.cli")
    assert PACKAGE in loaded
    assert not loaded & {*LIBRARIES, "pydantic"}


def test_the_public_names_but_those_of_applications_import_no_server() -> None:
    applications = {"create_app", "asgi_app", "blueprint"}
    loaded = loaded_by(f"import mcp_app; [getattr(mcp_app, name) for name in {{*mcp_app.__all__}} - {applications}]")
    assert {PACKAGE, "pydantic"} <= loaded
    assert not loaded & LIBRARIES


def test_what_is_mounted_elsewhere_imports_no_framework() -> None:
    loaded = loaded_by("import mcp_app; mcp_app.asgi_app")
    assert not loaded & {"quart", "werkzeug", "flask", "jinja2"}


@pytest.mark.time_bound(300)
def test_every_module_can_be_the_first_that_is_imported() -> None:
    """The package imports nothing by itself that could hide a circle. In CI each module, which takes two minutes; a
    drawn tenth elsewhere."""
    program = """
import importlib, os, pkgutil, random, sys
import mcp_app
modules = list(pkgutil.walk_packages(mcp_app.__path__, "mcp_app."))
for each in modules if "CI" in os.environ else random.sample(modules, len(modules) // 10):
    if each.name not in ("mcp_app.__main__", "mcp_app.asgi") and not each.name.startswith("mcp_app.builtin."):
        for name in [name for name in sys.modules if name.partition(".")[0] == "mcp_app"]:
            del sys.modules[name]
        importlib.import_module(each.name)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
