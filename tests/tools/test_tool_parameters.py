"""A function's parameters as callers see them: the input schema, and what their values become."""

from __future__ import annotations

import datetime
import functools
import math
from collections.abc import Callable
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, Optional

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field, RootModel
from typing_extensions import Doc, TypeAliasType

from mcp_app import Context, Tool, ToolDefinitionError, errors, tool
from mcp_app.protocol.event import encode


class Colour(Enum):
    RED = "red"
    ONE = 1


class Grade(IntEnum):
    A = 1
    B = 2


class Port(BaseModel):
    number: int = Field(alias="port")
    open: bool = False


class Names(RootModel[list[str]]):
    pass


Numbers = TypeAliasType("Numbers", list[int])


def validator(each: Tool) -> Draft202012Validator:
    schema = dict(each.input_schema)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def details(error: pytest.ExceptionInfo[errors.InvalidParams]) -> list[tuple[str, str]]:
    return [(each["field"], each["problem"]) for each in error.value.details]


# --- what is in the schema -------------------------------------------------------------------------------------------


def everything(
    text: str,
    number: Annotated[int, Field(ge=1, le=9, description="How many.")],
    when: datetime.datetime,
    colour: Colour,
    port: Port,
    word: Literal["a", "b", 3],
    tags: set[str],
    maybe: float | None = None,
    old: Optional[bool] = None,  # noqa: UP045 - as many people write it
    items: list[int] = [1, 2],  # noqa: B006 - it is copied
    anything: Any = None,
) -> None: ...


def test_the_schema_of_many_types() -> None:
    made = tool(everything)
    schema = dict(made.input_schema)
    assert "$schema" not in schema  # it would say what holds without it (MCP), and Genkit refuses a call because of it
    assert schema["required"] == ["text", "number", "when", "colour", "port", "word", "tags"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["number"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 9,
        "description": "How many.",
    }
    assert schema["properties"]["when"] == {"type": "string", "format": "date-time"}
    assert schema["properties"]["items"] == {"type": "array", "items": {"type": "integer"}, "default": [1, 2]}
    assert "title" not in schema["properties"]["text"]
    encode(schema)
    sound = {
        "text": "x",
        "number": 3,
        "when": "2026-01-02T03:04:05Z",
        "colour": "red",
        "port": {"port": 5},
        "word": 3,
        "tags": ["a"],
    }
    assert validator(made).is_valid(sound)
    for wrong in ({"number": 10}, {"word": "c"}, {"port": {"number": 5}}, {"extra": 1}, {"tags": "a"}):
        assert not validator(made).is_valid(sound | wrong), wrong


def test_the_values_a_function_gets() -> None:
    made = tool(everything)
    arguments = made.arguments(
        {
            "text": "x",
            "number": 3,
            "when": "2026-01-02T03:04:05Z",
            "colour": 1,
            "port": {"port": 5},
            "word": 3,
            "tags": ["a", "a"],
        }
    )
    assert arguments == {
        "text": "x",
        "number": 3,
        "when": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
        "colour": Colour.ONE,
        "port": Port(port=5),
        "word": 3,
        "tags": {"a"},
        "maybe": None,
        "old": None,
        "items": [1, 2],
        "anything": None,
    }


def test_a_default_is_not_shared_between_calls() -> None:
    @tool
    def f(items: list[int] = [1, 2]) -> None: ...  # noqa: B006 - it is copied

    f.arguments({})["items"].append(3)
    assert f.arguments({}) == {"items": [1, 2]}


def test_a_function_without_parameters() -> None:
    @tool
    def nothing() -> None: ...

    assert dict(nothing.input_schema) == {
        "type": "object",
        "additionalProperties": False,
        "properties": {},
    }
    assert nothing.arguments({}) == {}
    with pytest.raises(errors.InvalidParams):
        nothing.arguments({"x": 1})


NAMES = "schema json copy model_config model_fields dict self cls fields _private __dunder p_x construct validate ctx"


@pytest.mark.parametrize("name", NAMES.split())
def test_parameters_named_like_what_pydantic_has(name: str) -> None:
    scope: dict[str, Any] = {}
    exec(f"def f({name}: int, p_{name}: str = 'd'): return {name}", scope)
    made = tool(scope["f"])
    assert set(made.input_schema["properties"]) == {name, f"p_{name}"}
    assert made.arguments({name: 5}) == {name: 5, f"p_{name}": "d"}
    assert made.from_query({}, {name: ["5"]}).arguments == {name: 5, f"p_{name}": "d"}
    assert made(**made.arguments({name: 5})) == 5
    with pytest.raises(errors.InvalidParams) as raised:
        made.arguments({name: "x"})
    assert details(raised)[0][0] == f"params.{name}"


def test_a_text_beside_the_type_is_the_description() -> None:
    @tool
    def f(
        a: Annotated[int, "Beside."],
        b: Annotated[int, Doc("Documented.")],
        c: Annotated[int, "Beside.", Field(description="In the field.")],
        d: Annotated[Annotated[int, "Inner."], Field(ge=1)],
        e: Annotated[int, object()],
    ) -> None:
        """Do it.

        Args:
            a: In the docstring.
            e: In the docstring.
        """

    found = {name: each["description"] for name, each in f.input_schema["properties"].items()}
    assert found == {
        "a": "Beside.",
        "b": "Documented.",
        "c": "In the field.",
        "d": "Inner.",
        "e": "In the docstring.",
    }
    assert f.input_schema["properties"]["d"]["minimum"] == 1


def test_an_alias_of_the_authors_is_the_name_for_callers() -> None:
    @tool
    def f(
        x: Annotated[int, Field(alias="foo")],
        y: Annotated[int, Field(validation_alias="from")],
        z: int = Field(3, alias="x"),
    ) -> None:
        """Do it.

        Args:
            x: The foo.
            z: The x.
        """

    properties = f.input_schema["properties"]
    assert set(properties) == {"foo", "from", "x"}
    assert (properties["foo"]["description"], properties["x"]["description"]) == ("The foo.", "The x.")
    assert f.arguments({"foo": 1, "from": 2}) == {"x": 1, "y": 2, "z": 3}
    assert f.from_query({}, {"foo": ["1"], "from": ["2"], "x": ["4"]}).arguments == {"x": 1, "y": 2, "z": 4}
    with pytest.raises(errors.InvalidParams) as raised:
        f.arguments({"x": 1})
    assert [field for field, _ in details(raised)] == ["params.foo", "params.from"]


def test_a_default_in_a_field() -> None:
    @tool
    def f(
        x: Annotated[int, Field(default=5)],
        y: int = Field(6, description="The y.", gt=2),
        z: list[int] = Field(default_factory=list),  # noqa: B008 - as many people write it
    ) -> None: ...

    assert "required" not in f.input_schema
    assert f.input_schema["properties"]["y"] == {
        "type": "integer",
        "default": 6,
        "exclusiveMinimum": 2,
        "description": "The y.",
    }
    assert f.arguments({}) == {"x": 5, "y": 6, "z": []}
    with pytest.raises(errors.InvalidParams):
        f.arguments({"y": 2})


def test_types_that_are_local_to_where_the_tool_is_made() -> None:
    class Local(BaseModel):
        a: int

    @tool
    def f(x: Local, more: list[Local]) -> Local:
        return x

    @tool(name="g")
    def g(x: Local) -> None: ...

    assert f.arguments({"x": {"a": 1}, "more": [{"a": 2}]}) == {"x": Local(a=1), "more": [Local(a=2)]}
    assert g.arguments({"x": {"a": 1}}) == {"x": Local(a=1)}
    assert f.output_schema is not None
    assert f.output_schema["properties"] == {"a": {"type": "integer"}}


def test_a_local_name_means_nothing_to_a_function_of_another_module() -> None:
    scope: dict[str, Any] = {"Item": int}
    exec("from __future__ import annotations\ndef f(x: Item): ...", scope)

    class Item(BaseModel):
        a: int

    assert tool(scope["f"]).arguments({"x": 5}) == {"x": 5}


# --- what the docstring says -----------------------------------------------------------------------------------------


def test_descriptions_come_from_the_docstring_unless_the_annotation_has_one() -> None:
    @tool
    def f(a: int, b: Annotated[int, Field(description="Said here.")], c: int = 0) -> None:
        """Do it.

        Args:
            a: The a.
            b: Said there.
        """

    properties = f.input_schema["properties"]
    assert f.description == "Do it."
    assert (properties["a"]["description"], properties["b"]["description"]) == ("The a.", "Said here.")
    assert "description" not in properties["c"]


# --- by the schema, as in a body -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, "5.5"),
        (int, "five"),
        (int, "05"),
        (int, "1_000"),
        (int, ""),
        (int, 5.5),
        (int, True),
        (float, "NaN"),
        (float, "1e999"),
        (bool, "yes"),
        (bool, "1"),
        (bool, 1),
        (str, 5),
        (list[int], "5"),
        (list[int], 5),
        (int, None),
        (Literal[1], "2"),
        (Colour, "blue"),
        (datetime.date, "yesterday"),
        (Port, [1]),
    ],
)
def test_a_body_is_taken_as_it_is_where_more_than_one_thing_can_be_meant(annotation: Any, value: Any) -> None:
    def f(x): ...  # type: ignore[no-untyped-def]

    f.__annotations__ = {"x": annotation}
    with pytest.raises(errors.InvalidParams) as raised:
        tool(f).arguments({"x": value})
    assert raised.value.message.startswith("params.x: ")
    assert details(raised)[0][0] == "params.x"


def test_every_wrong_field_is_named() -> None:
    @tool
    def f(a: int, b: Port, c: list[int]) -> None: ...

    with pytest.raises(errors.InvalidParams) as raised:
        f.arguments({"b": {"port": "x"}, "c": [1, "two"], "d": 5})
    assert details(raised) == [
        ("params.a", "Field required: an integer, such as 5"),
        ("params.b.port", "Input should be a valid integer, such as 5"),
        ("params.c.1", "Input should be a valid integer, such as 5"),
        ("params.d", "There is no field of this name"),
    ]
    assert raised.value.status == 422


def test_a_wrong_value_is_not_repeated() -> None:
    @tool
    def f(a: int) -> None: ...

    with pytest.raises(errors.InvalidParams) as raised:
        f.arguments({"a": "my secret"})
    assert "secret" not in str(raised.value.object())


def test_many_and_long_mistakes_are_shortened() -> None:
    @tool
    def f(a: list[int]) -> None: ...

    with pytest.raises(errors.InvalidParams) as raised:
        f.arguments({"a": ["x"] * 1000})
    assert len(raised.value.details) == 20
    with pytest.raises(errors.InvalidParams) as raised:
        f.arguments({"a": [], "x" * 100_000: 1})
    assert len(encode(raised.value.object())) < 2000


# --- by the schema, as in a query ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "texts", "value"),
    [
        (int, ["5"], 5),
        (float, ["5e3"], 5000.0),
        (bool, ["true"], True),
        (bool, ["0"], False),
        (str, ["5"], "5"),
        (str, [""], ""),
        (int | None, ["5"], 5),
        (int | str, ["5"], "5"),
        (list[int], ["5"], [5]),
        (list[int], ["5", "6"], [5, 6]),
        (list[str] | None, ["a,b"], ["a,b"]),
        (set[int], ["5", "5"], {5}),
        (tuple[int, str], ["5", "6"], (5, "6")),
        (frozenset[Literal[1, 2]], ["1"], frozenset({1})),
        (Literal[1, 2], ["2"], 2),
        (Literal["1", 2], ["1"], "1"),
        (Literal[True], ["true"], True),
        (Literal[None, 7], ["null"], None),
        (Literal[1] | str, ["1"], "1"),
        (Colour, ["1"], Colour.ONE),
        (Colour | None, ["red"], Colour.RED),
        (list[Colour], ["1", "red"], [Colour.ONE, Colour.RED]),
        (Grade, ["2"], Grade.B),
        (datetime.date, ["2026-01-02"], datetime.date(2026, 1, 2)),
        (Names, ["a"], Names(["a"])),
        (Numbers, ["1"], [1]),
        (Numbers | None, ["1"], [1]),
        (Any, ["1"], "1"),
        (Port, ['{"port":1}'], Port(port=1)),
        (Port | None, ['{"port":"1"}'], Port(port=1)),
        (list[Port], ['{"port":1}'], [Port(port=1)]),
        (list[Port], ['{"port":1}', '{"port":2}'], [Port(port=1), Port(port=2)]),
        (list[Port], ['[{"port":1}]'], [Port(port=1)]),
        (dict[str, int], ['{"a":1}'], {"a": 1}),
        (list[int], ["[1,2]"], [1, 2]),
        (list[str], ['["a"]'], ['["a"]']),
        (str, ['{"port":1}'], '{"port":1}'),
    ],
)
def test_a_query_is_coerced_by_the_schema(annotation: Any, texts: list[str], value: Any) -> None:
    def f(x): ...  # type: ignore[no-untyped-def]

    f.__annotations__ = {"x": annotation}
    coerced = tool(f).from_query({}, {"x": texts}).arguments["x"]
    assert (coerced, type(coerced)) == (value, type(value))


@pytest.mark.parametrize(
    ("annotation", "texts"),
    [(int, ["5.5"]), (int, ["5", "6"]), (str, ["a", "b"]), (Literal[1], ["3"]), (Port, ['{"port":1']), (bool, [""])],
)
def test_a_query_that_does_not_fit(annotation: Any, texts: list[str]) -> None:
    def f(x): ...  # type: ignore[no-untyped-def]

    f.__annotations__ = {"x": annotation}
    with pytest.raises(errors.InvalidParams) as raised:
        tool(f).from_query({}, {"x": texts})
    assert details(raised)[0][0].startswith("params.x")


def test_an_object_in_a_query_is_as_strict_as_in_params() -> None:
    def f(port: Port, n: int = 0) -> None: ...

    for made, given in ((tool(f), '{"port":"x"}'), (tool(strict=True)(f), '{"port":"1"}')):
        with pytest.raises(errors.InvalidParams) as raised:
            made.from_query({}, {"port": [given], "n": ["1"]})
        assert details(raised) == [("params.port.port", "Input should be a valid integer, such as 5")]


def test_objects_and_texts_together() -> None:
    @tool
    def f(port: Port, n: int) -> None: ...

    assert f.from_query({"port": {"port": 5}}, {"n": ["7"]}).arguments == {"port": Port(port=5), "n": 7}
    with pytest.raises(errors.InvalidParams) as raised:
        f.from_query({"port": {"port": 5}}, {"n": ["7"], "": ["x"]})
    assert details(raised) == [("params.", "There is no field of this name")]


def test_a_type_that_holds_itself() -> None:
    class Tree(BaseModel):
        children: list[Tree] = []

    Tree.model_rebuild(_types_namespace={"Tree": Tree})

    @tool
    def f(tree: Tree) -> None: ...

    validator(f)
    assert f.arguments({"tree": {"children": [{}]}}) == {"tree": Tree(children=[Tree()])}


# --- what cannot be a parameter --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def f(x): ...", "f: the parameter x has no annotation"),
        ("def f(x=1): ...", "f: the parameter x has no annotation"),
        ("def f(*args: int): ...", r"f: the parameter \*args cannot be filled by name"),
        ("def f(**kwargs: int): ...", r"f: the parameter \*\*kwargs cannot be filled by name"),
        ("def f(x: int, /): ...", "f: the parameter x cannot be filled by name"),
        ("def f(x: Nope): ...", "f: an annotation cannot be resolved: name 'Nope'"),
        ("def f(x: math.nope): ...", "f: an annotation cannot be resolved: .*nope"),
        ("def f(x: 'list['): ...", "f: an annotation cannot be resolved"),
        ("def f(x: 5): ...", "f: the .*parameter x (is no type|has a type)"),
        ("def f(a: int, x: Context, y: Context): ...", "f: x and y are both a Context"),
        ("def f(a: int, x: Odd): ...", "f: the parameter x has a type that JSON cannot carry"),
        ("def f(x: Annotated[str, Field(pattern='(')]): ...", "f: the parameter x has a type"),
        ("def f(x: Callable[[], int]): ...", "f: its parameters cannot be said in JSON Schema"),
    ],
)
def test_what_is_refused_and_how(source: str, message: str) -> None:
    class Odd:
        pass

    scope: dict[str, Any] = {
        "math": math, "Odd": Odd, "Context": Context, "Callable": Callable, "Annotated": Annotated, "Field": Field
    }  # fmt: skip
    exec(f"from __future__ import annotations\n{source}", scope)
    with pytest.raises(ToolDefinitionError, match=message):
        tool(scope["f"])


@pytest.mark.parametrize("name", ["tool", "run", "heartbeat", "heartbeat_seconds", "cap_seconds", "params"])
def test_reserved_names_are_refused_for_read_only_tools_alone(name: str) -> None:
    scope: dict[str, Any] = {}
    exec(f"def f({name}: str): ...", scope)
    assert tool(scope["f"]).arguments({name: "x"}) == {name: "x"}
    with pytest.raises(ToolDefinitionError, match=f"f: .* a parameter named {name}:"):
        tool(read_only=True)(scope["f"])


def test_a_reserved_name_for_the_context_is_nobodys_business() -> None:
    @tool(read_only=True)
    def f(run: Context) -> None: ...

    assert f.signature.context == "run"


# --- the context -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "annotation",
    [
        Context,
        "Context",
        Context | None,
        Optional[Context],  # noqa: UP045 - as many people write it
        Annotated[Context, "x"],
        "Context | None",
    ],
)
def test_the_context_is_known_however_it_is_written(annotation: Any) -> None:
    def f(x, me=None): ...  # type: ignore[no-untyped-def]

    f.__annotations__ = {"x": int, "me": annotation}
    made = tool(f)
    assert made.signature.context == "me"
    assert set(made.input_schema["properties"]) == {"x"}
    assert made.arguments({"x": 1}) == {"x": 1}


def test_partials_bound_methods_and_callables() -> None:
    def f(a: int, b: int = 1) -> int:
        """Add.

        :param a: the first
        """
        return a + b

    class Adder:
        def __init__(self, b: int) -> None:
            self.b = b

        def add(self, a: int) -> int:
            """Add."""
            return a + self.b

        def __call__(self, a: int) -> int:
            """Call."""
            return self.add(a)

        @staticmethod
        def plain(a: int) -> int:
            """Static."""
            return a

    partial = tool(name="p")(functools.partial(f, b=5))
    assert partial.description == "Add."
    assert partial.input_schema["properties"]["a"] == {"type": "integer", "description": "the first"}
    assert partial(**partial.arguments({"a": 1})) == 6
    bound = tool(Adder(7).add)
    assert (bound.name, bound.description, bound(**bound.arguments({"a": 1}))) == ("add", "Add.", 8)
    callable_ = tool(name="c")(Adder(9))
    assert (callable_.description, callable_(**callable_.arguments({"a": 1}))) == ("Call.", 10)
    static = tool(Adder.__dict__["plain"])
    assert (static.name, static(**static.arguments({"a": 1}))) == ("plain", 1)
    for nameless in (functools.partial(f, b=5), Adder(1)):
        with pytest.raises(ToolDefinitionError, match="name"):
            tool(nameless)
