"""How the source files are kept: small, each with its purpose in its docstring, none named after nothing."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from import_policy import PACKAGE
from import_reader import sources

ROOT = Path(__file__).parent.parent.parent

# Lines of a module, from which on it has more than one reason to change.
MAX_LINES = 300

# The few that have one reason all the same, and it: they stay under 400.
LONG = {
    "mcp_app.runs.run": "a run, its readers, its moment and its stop are one thought; apart they imported each other"
}
MAX_LINES_WITH_REASON = 400

# Words that say of a module or class only that it is one.
EMPTY_WORDS = frozenset(
    ["base", "common", "core", "handler", "helper", "helpers", "manager", "processor", "service", "util", "utils"]
)

# What belongs to one machine or one package mirror and means nothing elsewhere. Put together here from pieces, so that
# this file does not contain it.
FOREIGN_TO_THE_READER = re.compile(
    "|".join(
        [
            r"(?<![\w.-])/(?:work|root|Users|home/(?!user\b|you\b)\w+)" + "/",
            r"(?<![\w.-])/tmp/" + r"(?:jobs|pytest-of)",
            r"\.pyenv/versions/" + r"\d",
            r"\b(?:files\.pythonhosted|registry\.npmjs|registry\.yarnpkg|deb\.debian|proxy\.golang)" + r"\.org\b",
            r"\bpypi\.org/" + "simple",
        ]
    )
)


def long_files(modules: Mapping[str, str]) -> Iterator[str]:
    for module, source in modules.items():
        lines = len(source.splitlines())
        most = MAX_LINES_WITH_REASON if module in LONG else MAX_LINES
        if lines >= most:
            yield f"{module} has {lines} lines; less than {most} are allowed: what is its second reason to change?"


def reasons_without_a_file(modules: Mapping[str, str]) -> Iterator[str]:
    for module in LONG:
        if module in modules and len(modules[module].splitlines()) < MAX_LINES:
            yield f"{module} is short enough without its reason"


def shared_names(modules: Mapping[str, str]) -> Iterator[str]:
    """One name for one thing: no two classes share one. The shipped tools are written as somebody else's would be."""
    places: dict[str, str] = {}
    for module, source in modules.items():
        if module.startswith(f"{PACKAGE}.builtin"):
            continue
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                if node.name in places:
                    yield f"{module}.{node.name} is also the name of a class in {places[node.name]}"
                places[node.name] = module


def without_docstring(modules: Mapping[str, str]) -> Iterator[str]:
    for module, source in modules.items():
        if not (ast.get_docstring(ast.parse(source)) or "").strip():
            yield f"{module} has no docstring that says what it is for and what may not be in it"


def empty_names(modules: Mapping[str, str]) -> Iterator[str]:
    for module, source in modules.items():
        yield from _with_empty_word(module, module.rpartition(".")[2])
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef):
                yield from _with_empty_word(f"{module}.{node.name}", node.name)


def _with_empty_word(where: str, name: str) -> Iterator[str]:
    words = {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}
    for word in sorted(words & EMPTY_WORDS):
        yield f"{where}: {word!r} says nothing; what does it do?"


RULES = [long_files, reasons_without_a_file, shared_names, without_docstring, empty_names]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_source_files(rule: Callable[[Mapping[str, str]], Iterator[str]]) -> None:
    broken = list(rule(sources(ROOT, PACKAGE)))
    assert not broken, "\n" + "\n".join(broken)


@pytest.mark.parametrize(
    ("rule", "module", "source"),
    [
        (long_files, "a", "pass\n" * MAX_LINES),
        (long_files, next(iter(LONG)), "pass\n" * MAX_LINES_WITH_REASON),
        (reasons_without_a_file, next(iter(LONG)), "pass\n"),
        (shared_names, "a", "class Twin: pass\nclass Twin: pass"),
        (without_docstring, "a", "# a comment is none\n"),
        (without_docstring, "a", '""" """'),
        (empty_names, "mcp_app.utils", ""),
        (empty_names, "mcp_app.run_manager", ""),
        (empty_names, "mcp_app.runs", "class RunHandler: pass"),
        (empty_names, "mcp_app.runs", "def f():\n    class HTTPBase: pass"),
    ],
)
def test_the_rules_find_what_they_forbid(
    rule: Callable[[Mapping[str, str]], Iterator[str]], module: str, source: str
) -> None:
    assert len(list(rule({module: source}))) == 1


def test_the_rules_leave_alone_what_they_do_not_mean() -> None:
    source = '"""A docstring."""\nclass DatabaseScore: pass\nclass Corelation: pass\n'
    assert [list(rule({"mcp_app.baseline": source})) for rule in RULES] == [[], [], [], [], []]


# --- every file that is committed ------------------------------------------------------------------------------------


def committed_files() -> list[Path]:
    """What git tracks or would take: not what it ignores. Without git, nothing can be committed either."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: what is committed cannot be told")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=50, check=True).stdout.split(b"\0")
    return [path for name in names if name and (path := ROOT / name.decode()).is_file()]


def test_no_file_names_one_machine_or_mirror() -> None:
    files = committed_files()
    assert files
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        for match in FOREIGN_TO_THE_READER.finditer(line)
    ]
    assert not found, "\n" + "\n".join(found)


def test_no_key_or_certificate_is_committed() -> None:
    marker = b"-----BEGIN " + b"PRIVATE KEY"
    found = [
        str(path.relative_to(ROOT))
        for path in committed_files()
        if path.suffix in {".key", ".pem", ".crt", ".p12"} or marker in path.read_bytes()
    ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("text", "is_foreign"),
    [
        ("cd /" + "work/main", True),
        ("/" + "root/x", True),
        ("file:///" + "home/alice/x", True),
        ("/home/user/certs", False),
        ("https://example.com/work/x", False),
        ("./root/x", False),
        ("https://registry" + ".npmjs.org/x", True),
        ("https://pypi.org/project/mcp-app/", False),
        ("${PYENV_ROOT:-$HOME/.pyenv}/versions", False),
    ],
)
def test_what_names_a_machine_or_mirror(text: str, is_foreign: bool) -> None:
    assert bool(FOREIGN_TO_THE_READER.search(text)) == is_foreign
