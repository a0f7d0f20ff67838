"""The requirements of the specifications, and where each is tested.

Every TOML file beside this one is the manifest of one specification: a table `specification` (`name`, and `source`:
where its text is published), then one `[[requirement]]` per sentence with MUST, MUST NOT, REQUIRED or SHALL, and per
SHOULD that a user would miss:

    [[requirement]]
    section = "basic/transports/streamable-http#sending-messages"   # file of the specification, `#`, its heading
    text = "The client MUST use HTTP POST"                          # the sentence: shortened, never reworded
    on = "client"

and exactly one of

- `tests = ["tests/…/test_x.py::test_name", …]`: what fails when it is broken (a test in a class: `file::Class::name`),
- `on = "client"`: binds another side, one of SIDES,
- `untestable = "why"`: binds a server, and no test can show it; a whole sentence of why.

What is checked here is the manifest, by reading: that a named test exists, and is not one that never runs. That the
manifest is complete cannot be checked, because the texts of the specifications are not part of this repository. No
requirement is tested here.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MANIFESTS = sorted(Path(__file__).parent.glob("*.toml"))

SIDES = {
    "client": "whoever calls",
    "host": "the application around a client",
    "intermediary": "a proxy or gateway in between",
    "authorization server": "whoever gives out tokens",
    "author": "who writes a server's tools, and alone can keep it",
    "specification": "who writes specifications and extensions",
}
"""Whom a requirement may bind instead of this server."""

ANSWERS = ("tests", "on", "untestable")
WHY = 20
"""Fewest characters of a reason: shorter ones ("n/a") are none."""

SECTION = re.compile(r"[a-z0-9/._-]+#[a-z0-9_-]+")


def requirements(manifest: Path) -> list[dict[str, Any]]:
    return tomllib.loads(manifest.read_text(encoding="utf-8"))["requirement"]  # type: ignore[no-any-return]


each_manifest = pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)


def test_there_is_a_manifest() -> None:
    assert MANIFESTS


@each_manifest
def test_says_what_it_is_a_manifest_of(manifest: Path) -> None:
    data = tomllib.loads(manifest.read_text(encoding="utf-8"))
    assert set(data) == {"specification", "requirement"}
    assert set(data["specification"]) == {"name", "source"}
    assert data["specification"]["source"].startswith("https://")


@each_manifest
def test_each_requirement_has_a_section_a_text_and_one_answer(manifest: Path) -> None:
    wrong = [f"{each!r}: {what}" for each in requirements(manifest) for what in _wrong(each)]
    assert not wrong, "\n".join(wrong)


@each_manifest
def test_no_text_stands_twice(manifest: Path) -> None:
    seen: set[str] = set()
    twice = []
    for each in requirements(manifest):
        text = " ".join(each["text"].split()).casefold()
        twice += [each["text"]] if text in seen else []
        seen.add(text)
    assert not twice, "\n".join(twice)


@each_manifest
def test_each_named_test_exists_and_can_run(manifest: Path) -> None:
    wrong = [
        f"{name}: {what}"
        for each in requirements(manifest)
        for name in each.get("tests", ())
        for what in _wrong_test(name, ROOT)
    ]
    assert not wrong, "\n".join(sorted(set(wrong)))


def test_what_is_wrong_with_a_requirement_is_found() -> None:
    """The checks above can fail."""
    good = {"section": "basic/index#json-rpc", "text": "Requests MUST include an id", "on": "client"}
    assert not list(_wrong(good))
    changes: list[dict[str, Any]] = [
        {"section": ""},
        {"section": "basic/index"},
        {"text": " "},
        {"on": "nobody"},
        {"untestable": "a second answer, which must not be"},
        {"tests": []},
        {"note": "an unknown key"},
    ]
    for change in changes:
        assert list(_wrong(good | change)), change
    bare = {key: good[key] for key in ("section", "text")}
    assert list(_wrong(bare))
    assert list(_wrong(bare | {"untestable": "n/a"}))
    assert list(_wrong(bare | {"tests": []}))


def test_what_is_wrong_with_a_named_test_is_found(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text(
        "import pytest\n"
        "def test_good(): assert f()\n"
        "def stage(): pass\n"
        "@pytest.mark.skip('later')\ndef test_marked(): assert f()\n"
        "@pytest.mark.skipif(True, reason='r')\ndef test_always(): assert f()\n"
        "@pytest.mark.xfail\ndef test_fails(): assert f()\n"
        "def test_left():\n    '''Doc.'''\n    pytest.skip('later')\n"
        "@pytest.mark.skipif(not tool(), reason='r')\nasync def test_sometimes(): assert f()\n"
        "class TestIn:\n    def test_it(self): assert f()\n"
    )
    (tmp_path / "test_y.py").write_text("import pytest\npytestmark = pytest.mark.skip\ndef test_it(): assert f()\n")
    for name in ("test_good", "test_sometimes", "TestIn::test_it"):
        assert not list(_wrong_test(f"test_x.py::{name}", tmp_path)), name
    for name in ("test_none", "stage", "test_marked", "test_always", "test_fails", "test_left", "TestIn::test_none"):
        assert list(_wrong_test(f"test_x.py::{name}", tmp_path)), name
    assert list(_wrong_test("test_y.py::test_it", tmp_path))
    assert list(_wrong_test("test_z.py::test_it", tmp_path))
    assert list(_wrong_test("test_x.py", tmp_path))


def _wrong(each: dict[str, Any]) -> Iterator[str]:
    if unknown := set(each) - {"section", "text", *ANSWERS}:
        yield f"unknown keys {sorted(unknown)}"
    if not SECTION.fullmatch(each.get("section", "")):
        yield "section is not file#heading"
    if not each.get("text", "").strip():
        yield "no text"
    given = [key for key in ANSWERS if key in each]
    if len(given) != 1:
        yield f"has {given or 'none'} where it must have one of {ANSWERS}"
    if "tests" in each and not (isinstance(each["tests"], list) and each["tests"]):
        yield "names no test"
    if "on" in each and each["on"] not in SIDES:
        yield f"binds nobody known: {each['on']!r}"
    if "untestable" in each and len(each["untestable"]) < WHY:
        yield "does not say why it cannot be tested"


def _wrong_test(name: str, root: Path) -> Iterator[str]:
    file, *path = name.split("::")
    if not path:
        yield "is not file::test_name"
        return
    if not (root / file).is_file():
        yield "its file does not exist"
        return
    nodes: list[ast.stmt] = _parsed(root / file).body
    if any(_is_mark(each) and _never_runs(each.value) for each in nodes if isinstance(each, ast.Assign)):
        yield "its file is skipped"
    for part in path:
        found = [each for each in nodes if isinstance(each, _DEFINED) and each.name == part]
        if not found:
            yield "does not exist"
            return
        if any(_never_runs(each) for each in found[-1].decorator_list):
            yield "is skipped"
        nodes = found[-1].body
    if not path[-1].startswith("test_"):
        yield "is not a test"
    first = nodes[1:] if isinstance(nodes[0], ast.Expr) and isinstance(nodes[0].value, ast.Constant) else nodes
    if first and isinstance(first[0], ast.Expr) and ast.unparse(first[0]).startswith(("pytest.skip(", "pytest.xfail(")):
        yield "leaves at once"


_DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@cache
def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _is_mark(node: ast.Assign) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "pytestmark" for each in node.targets)


def _never_runs(mark: ast.expr) -> bool:
    """Skipped or expected to fail without a condition; a condition that is a constant is none."""
    name = ast.unparse(mark.func if isinstance(mark, ast.Call) else mark)
    if not name.endswith((".skip", ".skipif", ".xfail")):
        return False
    if not isinstance(mark, ast.Call) or name.endswith(".skip"):
        return True
    return not mark.args or isinstance(mark.args[0], ast.Constant)
