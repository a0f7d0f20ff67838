"""Resources and templates: those of the conformance fixture, what functions may return, and what is refused when."""

from __future__ import annotations

import base64
import json
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from author_calls import PNG, called, valid

from mcp_app import Context, ToolDefinitionError
from mcp_app.authoring.content import Annotations, Audio, EmbeddedResource, File, Image, ResourceLink, Text
from mcp_app.authoring.resource import Resource, Resources, UnknownResource
from mcp_app.authoring.resource_decorator import resource
from mcp_app.protocol.access import ANONYMOUS
from mcp_app.protocol.errors import InvalidParams, ToolFailed

PNG64 = base64.b64encode(PNG).decode()

# --- the fixture of the conformance suite ----------------------------------------------------------------------------


@resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    """A text that never changes."""
    return "This is the content of the static text resource."


@resource("test://static-binary", name="A picture", mime_type="image/png", size=len(PNG), cache_seconds=60)
async def static_binary() -> bytes:
    return PNG


@resource("test://template/{id}/data", mime_type="application/json", cache_scope="public")
def template_data(id: str) -> dict[str, Any]:  # noqa: A002 - the name in the URI
    """Data by its id.

    Args:
        id: whose data
    """
    return {"id": id, "templateTest": True, "data": f"Data for ID: {id}"}


FIXTURE = Resources([static_text, static_binary, template_data])


async def read(resources: Resources, uri: str) -> list[dict[str, Any]]:
    result, _ = await called(*resources.match(uri, ANONYMOUS))
    assert result.keys() == {"contents"}
    valid("resources/read", result)
    contents: list[dict[str, Any]] = result["contents"]
    return contents


def only(made: Resource) -> Resources:
    return Resources([made])


def test_lists() -> None:
    listed = {"resources": [each.wire() for each in FIXTURE.listed(ANONYMOUS)]}
    assert listed["resources"] == [
        {
            "uri": "test://static-text",
            "name": "static_text",
            "title": "Static text",
            "description": "A text that never changes.",
            "mimeType": "text/plain",
        },
        {
            "uri": "test://static-binary",
            "name": "A picture",
            "title": "A picture",
            "mimeType": "image/png",
            "size": len(PNG),
        },
    ]
    templates = {"resourceTemplates": [each.wire() for each in FIXTURE.templates(ANONYMOUS)]}
    assert templates["resourceTemplates"] == [
        {
            "uriTemplate": "test://template/{id}/data",
            "name": "template_data",
            "title": "Template data",
            "description": "Data by its id.",
            "mimeType": "application/json",
        }
    ]
    valid("resources/list", listed)
    valid("resources/templates/list", templates)
    assert [each.cache_hints() for each in FIXTURE] == [
        {"ttlMs": 0, "cacheScope": "private"},
        {"ttlMs": 60_000, "cacheScope": "private"},
        {"ttlMs": 0, "cacheScope": "public"},
    ]


async def test_text() -> None:
    assert await read(FIXTURE, "test://static-text") == [
        {
            "uri": "test://static-text",
            "mimeType": "text/plain",
            "text": "This is the content of the static text resource.",
        }
    ]


async def test_binary() -> None:
    assert await read(FIXTURE, "test://static-binary") == [
        {"uri": "test://static-binary", "mimeType": "image/png", "blob": PNG64}
    ]


async def test_template() -> None:
    [contents] = await read(FIXTURE, "test://template/123/data")
    assert (contents["uri"], contents["mimeType"]) == ("test://template/123/data", "application/json")
    assert json.loads(contents["text"]) == {"id": "123", "templateTest": True, "data": "Data for ID: 123"}


@pytest.mark.parametrize(
    "uri",
    [
        "test://nonexistent-resource-for-conformance-testing",
        "test://static-text/",
        "test://static-text?x",
        "test://template//data",
        "test://template/a/b/data",
        "test://template/../data",
        "file:///etc/passwd",
        "",
        "x" * 100_000,
        "test://\ud800",
    ],
)
def test_unknown(uri: str) -> None:
    with pytest.raises(UnknownResource) as refused:
        FIXTURE.match(uri, ANONYMOUS)
    assert refused.value.uri == uri
    assert (refused.value.code, refused.value.status) == ("unknown_resource", 404)
    assert len(refused.value.message) < 400


def test_unknown_names_what_is_near() -> None:
    with pytest.raises(UnknownResource) as refused:
        FIXTURE.match("test://static-test", ANONYMOUS)
    assert refused.value.suggestion.startswith("Did you mean test://static-text")


def test_the_same_uri_written_in_another_way() -> None:
    assert FIXTURE.match("TEST://static%2Dtext", ANONYMOUS)[0].resource is static_text


# --- what functions take ---------------------------------------------------------------------------------------------


@dataclass
class RequestInfo:
    number: int
    level: Literal[1, 2]
    exact: bool


@resource("x://{number}/{level}/{exact}/{+path}")
async def typed(ctx: Context, number: int, level: Literal[1, 2], exact: bool, path: str) -> list[Any]:
    await ctx.log("info", "reading")
    return [number, level, exact, path, ctx.principal]


async def test_values_have_the_types_of_their_parameters() -> None:
    result, events = await called(*only(typed).match("x://7/2/true/a/b%20c", ANONYMOUS))
    assert json.loads(result["contents"][0]["text"]) == [7, 2, True, "a/b c", "somebody"]
    assert len(events) == 1


@pytest.mark.parametrize(("uri", "field"), [("x://a/2/true/p", "number"), ("x://1/3/true/p", "level")])
def test_values_of_other_types(uri: str, field: str) -> None:
    with pytest.raises(InvalidParams) as refused:
        only(typed).match(uri, ANONYMOUS)
    assert [each["field"] for each in refused.value.details] == [field]
    assert refused.value.hint.startswith("The URI is x://{number}")


async def test_a_plain_function_works_in_a_thread_and_a_coroutine_does_not() -> None:
    @resource("x:plain")
    def plain() -> bool:
        return threading.current_thread() is threading.main_thread()

    @resource("x:coroutine")
    async def coroutine() -> bool:
        return threading.current_thread() is threading.main_thread()

    both = Resources([plain, coroutine])
    assert [(await read(both, uri))[0]["text"] for uri in ("x:plain", "x:coroutine")] == ["false", "true"]


def test_calling_it_calls_the_function() -> None:
    assert template_data("1")["data"] == "Data for ID: 1"


# --- what functions return -------------------------------------------------------------------------------------------

AT = "x://here"

RETURNED: list[tuple[Any, str | None, list[dict[str, Any]]]] = [
    ("", None, [{"uri": AT, "mimeType": "text/plain", "text": ""}]),
    ("# a", "text/markdown", [{"uri": AT, "mimeType": "text/markdown", "text": "# a"}]),
    (b"", None, [{"uri": AT, "mimeType": "application/octet-stream", "blob": ""}]),
    (bytearray(PNG), None, [{"uri": AT, "mimeType": "image/png", "blob": PNG64}]),
    ({"a": [1, None]}, None, [{"uri": AT, "mimeType": "application/json", "text": '{"a":[1,null]}'}]),
    ({}, "application/ld+json", [{"uri": AT, "mimeType": "application/ld+json", "text": "{}"}]),
    ([], None, [{"uri": AT, "mimeType": "application/json", "text": "[]"}]),
    (["a"], None, [{"uri": AT, "mimeType": "application/json", "text": '["a"]'}]),
    (7, None, [{"uri": AT, "mimeType": "application/json", "text": "7"}]),
    (
        RequestInfo(1, 2, True),
        None,
        [{"uri": AT, "mimeType": "application/json", "text": '{"number":1,"level":2,"exact":true}'}],
    ),
    (Text("a"), None, [{"uri": AT, "mimeType": "text/plain", "text": "a"}]),
    (Image(PNG), "image/gif", [{"uri": AT, "mimeType": "image/png", "blob": PNG64}]),
    (Audio(b"OggS"), None, [{"uri": AT, "mimeType": "audio/ogg", "blob": "T2dnUw=="}]),
    (File(b"a", name="a.txt"), None, [{"uri": "file:///a.txt", "mimeType": "text/plain", "text": "a"}]),
    (
        [EmbeddedResource(uri="x://1", text="one"), File(b"\0", name="two")],
        None,
        [
            {"uri": "x://1", "mimeType": "text/plain", "text": "one"},
            {"uri": "file:///two", "mimeType": "application/octet-stream", "blob": "AA=="},
        ],
    ),
]


@pytest.mark.parametrize(("value", "declared", "contents"), RETURNED, ids=lambda each: type(each).__name__)
async def test_returned(value: Any, declared: str | None, contents: list[dict[str, Any]]) -> None:
    @resource(AT, mime_type=declared)
    def here() -> Any:
        return value

    assert await read(only(here), AT) == contents


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (Path("a"), "a path is not what is in the file"),
        (ResourceLink("a:b", "c"), "ResourceLink has no contents"),
        ([Text("a"), "b"], "item 0 of the list is of type Text"),
        ([File(b"", name="a"), "b"], "item 1 of the list is of type str"),
        (object(), "not serialisable"),
        ({"a": object()}, "not serialisable"),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_returned_what_cannot_be_read(value: Any, problem: str) -> None:
    @resource(AT)
    async def here() -> Any:
        return value

    with pytest.raises(ToolFailed, match=f"The resource here returned what cannot be read: .*{problem}"):
        await called(*only(here).match(AT, ANONYMOUS))


async def test_nothing_there_is_an_unknown_resource_and_never_empty_contents() -> None:
    @resource("user://{id}")
    def user(id: int) -> dict[str, int] | None:  # noqa: A002 - the name in the URI
        return {"id": id} if id < 10 else None

    assert (await read(only(user), "user://3"))[0]["text"] == '{"id":3}'
    with pytest.raises(UnknownResource) as refused:
        await called(*only(user).match("user://30", ANONYMOUS))
    assert refused.value.uri == "user://30"


# --- definitions -----------------------------------------------------------------------------------------------------


def nothing() -> None: ...


def one(a: str) -> None: ...


def two(a: str, b: str = "") -> None: ...


def yields() -> Any:
    yield 1


@pytest.mark.parametrize(
    ("uri", "options", "function", "problem"),
    [
        ("x://{b}", {}, one, "the variables of 'x://{b}' are b, the function's parameters are a"),
        ("x://a", {}, one, "are none, the function's parameters are a"),
        ("x://{a}", {}, nothing, "are a, the function's parameters are none"),
        ("x://{a}", {}, two, "are a, the function's parameters are a, b"),
        ("x://{a", {}, one, "test_resources.one (line"),
        ("a", {}, nothing, "no scheme"),
        ("x:a", {}, yields, "yields: @resource goes on a function that returns"),
        ("x:a", {}, RequestInfo, "is not a function"),
        ("x:a", {}, 17, "17: this is not a function"),
        ("x:a", {"mime_type": "text"}, nothing, "'text' is no media type"),
        ("x:a", {"size": -1}, nothing, "size is of one resource"),
        ("x:{a}", {"size": 1}, one, "size is of one resource"),
        ("x:a", {"cache_seconds": -1}, nothing, "cache_seconds is a number from 0 on"),
        ("x:a", {"cache_scope": "shared"}, nothing, "cache_scope is public or private"),
    ],
)
def test_functions_that_cannot_be_resources(uri: str, options: dict[str, Any], function: Any, problem: str) -> None:
    with pytest.raises(ToolDefinitionError, match=re.escape(problem)):
        resource(uri, **options)(function)


def test_the_uri_is_not_left_out() -> None:
    with pytest.raises(ToolDefinitionError, match=r'write @resource\("scheme://path"\)'):
        resource(nothing)  # type: ignore[arg-type]


def test_a_parameter_without_a_type() -> None:
    with pytest.raises(ToolDefinitionError, match="the parameter a has no annotation"):

        @resource("x:{a}")
        def untyped(a):  # type: ignore[no-untyped-def]
            return a


def test_annotations_may_name_what_is_local() -> None:
    Here = Literal["a", "b"]  # noqa: N806 - a type

    @resource("x:{a}", annotations=Annotations(priority=1))
    def local(a: Here) -> str:
        return a

    assert local.wire()["annotations"] == {"priority": 1}
    assert only(local).match("x:a", ANONYMOUS)[1] == {"a": "a"}


# --- the registry ----------------------------------------------------------------------------------------------------


def made(uri: str, function: Any = nothing) -> Resource:
    return resource(uri)(function)


@resource("x://{other}/b")
def another(other: str) -> None: ...


@pytest.mark.parametrize(
    ("first", "second"),
    [(made("x://a"), made("X://%61")), (made("x://{a}/b", one), another)],
    ids=["the same URI", "the same URIs"],
)
def test_duplicates_are_refused(first: Resource, second: Resource) -> None:
    with pytest.raises(ToolDefinitionError, match=r"Two resources have the URI x://.*test_resources\.\w+ \(line \d+\)"):
        Resources([first, second])


def test_only_resources_are_offered() -> None:
    with pytest.raises(ToolDefinitionError, match=r"is not a resource: decorate the function with @resource\(uri\)"):
        Resources([nothing])  # type: ignore[list-item]


def test_the_exact_one_first_then_templates_in_their_order() -> None:
    general, special, exact = made("x://{+a}", one), made("x://b/{a}", one), made("x://b/c")
    resources = Resources([general, special, exact])
    assert resources.match("x://b/c", ANONYMOUS)[0].resource is exact
    assert resources.match("x://b/d", ANONYMOUS)[0].resource is general
    assert Resources([special, general]).match("x://b/d", ANONYMOUS)[0].resource is special


def test_coming_and_going() -> None:
    told: list[list[str]] = []
    resources = Resources()
    unwatch = resources.watch(lambda: told.append([each.uri for each in resources]))
    first, second = made("x:1"), made("x:2")
    resources.add(first)
    resources.add(second)
    resources.remove(first)
    with pytest.raises(KeyError, match="x:1 is not offered"):
        resources.remove(first)
    with pytest.raises(KeyError):
        resources.remove(made("x:2"))  # another one
    with pytest.raises(ToolDefinitionError):
        resources.add(made("x:2"))
    unwatch()
    unwatch()
    resources.remove(second)
    assert told == [["x:1"], ["x:1", "x:2"], ["x:2"]]
    assert len(resources) == 0


def test_a_change_while_somebody_lists() -> None:
    resources = Resources([made("x:1"), made("x:2")])
    for each in resources:
        resources.remove(each)
    assert list(resources) == []


def test_completion_refers_to_a_template_as_it_is_written() -> None:
    assert FIXTURE.template("test://template/{id}/data", ANONYMOUS) is template_data
    assert FIXTURE.template("test://static-text", ANONYMOUS) is static_text
    with pytest.raises(UnknownResource):
        FIXTURE.template("test://template/1/data", ANONYMOUS)
