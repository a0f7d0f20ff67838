"""The page's files: all found, typed, tagged, and nothing in them that its policy or a hostile tool could trip over."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib import resources

from mcp_app.web.pages import CONTENT_SECURITY_POLICY, HEADERS, pages


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.lasttag in ("script", "style") and data.strip():
            self.inline.append(data)


def document() -> Tags:
    tags = Tags()
    tags.feed(pages()["/"].body.decode())
    return tags


def test_every_file_of_the_package_is_served() -> None:
    names = {entry.name for entry in resources.files("mcp_app.web.pages").iterdir() if entry.is_file()}
    served = {path.removeprefix("/page/") for path in pages() if path != "/"} | {"index.html"}
    assert names - {"__init__.py"} == served


def test_each_has_its_type_and_a_strong_tag_of_its_own() -> None:
    assert pages()["/"].content_type == "text/html; charset=utf-8"
    assert pages()["/page/page.js"].content_type == "text/javascript; charset=utf-8"
    assert pages()["/page/page.css"].content_type == "text/css; charset=utf-8"
    tags = [page.etag for page in pages().values()]
    assert len(set(tags)) == len(tags)
    assert all(re.fullmatch(r'"[0-9a-f]{32}"', tag) for tag in tags)


def test_what_the_document_and_the_modules_name_is_served() -> None:
    named = {attrs.get("src") or attrs.get("href") for tag, attrs in document().found if tag in ("script", "link")}
    assert {name for name in named if name and name.startswith("page/")} <= {path[1:] for path in pages()}
    for path, page in pages().items():
        if path.endswith(".js"):
            imports = re.findall(r'from "\./([^"]+)"', page.body.decode())
            assert {f"/page/{name}" for name in imports} <= pages().keys()


def test_nothing_is_inline_and_nothing_comes_from_elsewhere() -> None:
    tags = document()
    assert tags.inline == []
    for tag, attrs in tags.found:
        assert "style" not in attrs, tag
        assert not any(name.startswith("on") for name in attrs), tag
        for name in ("src", "href"):
            assert "//" not in (attrs.get(name) or ""), tag


def test_the_policy_lets_nothing_in_but_our_own_files() -> None:
    assert ("content-security-policy", CONTENT_SECURITY_POLICY) in HEADERS
    directives = {part.split()[0]: part.split()[1:] for part in CONTENT_SECURITY_POLICY.split(";")}
    assert directives["default-src"] == ["'none'"]
    assert directives["script-src"] == ["'self'"]
    assert not any("unsafe" in source for sources in directives.values() for source in sources)


def test_no_script_makes_markup_or_code_from_text() -> None:
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc|setHTML"
    for path, page in pages().items():
        if path.endswith(".js"):
            assert re.search(forbidden, page.body.decode()) is None, path


def test_no_script_knows_a_path_of_the_server() -> None:
    for path, page in pages().items():
        if path.endswith(".js"):
            assert "/api/" not in page.body.decode(), path
