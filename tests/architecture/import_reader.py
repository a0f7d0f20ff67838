"""The imports of a package, read from its source without running it. What they should be is in `import_policy.py`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Import:
    """`importer` imports `imported`, both as dotted modules, in line `line`."""

    importer: str
    imported: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer} imports {self.imported} (line {self.line})"


def sources(root: Path, package: str) -> dict[str, str]:
    """Module name -> source, of every module of the package."""
    found = {}
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return found


def packages(root: Path, package: str) -> frozenset[str]:
    """The modules that are packages: relative imports count from them, not from their parent."""
    return frozenset(".".join(path.relative_to(root).parent.parts) for path in (root / package).rglob("__init__.py"))


def imports(modules: Mapping[str, str], are_packages: frozenset[str]) -> list[Import]:
    """Every import of the modules, wherever it stands: in a function and under TYPE_CHECKING too.

    `from a import b` is an import of a.b where that is a module, else of a.
    """
    return [each for module, source in modules.items() for each in _of_one(module, source, modules, are_packages)]


def _of_one(module: str, source: str, modules: Mapping[str, str], are_packages: frozenset[str]) -> Iterator[Import]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(module, node, module in are_packages)
            for alias in node.names:
                submodule = f"{origin}.{alias.name}"
                yield Import(module, submodule if submodule in modules else origin, node.lineno)


def _origin(module: str, node: ast.ImportFrom, is_package: bool) -> str:
    """The absolute name of what stands between `from` and `import`."""
    if not node.level:
        return node.module or ""
    up = node.level - 1 if is_package else node.level
    parts = module.split(".")
    return ".".join([*parts[: len(parts) - up], *([node.module] if node.module else [])])
