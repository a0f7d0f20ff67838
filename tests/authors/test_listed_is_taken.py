"""What is listed for a parameter is taken, or the tool is refused when it is defined: held against `jsonschema`."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Generator, Iterable
from decimal import Decimal
from enum import Enum, Flag, IntEnum, IntFlag
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from author_calls import is_listed, taking
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    RootModel,
)
from typing_extensions import TypedDict

from mcp_app import Context, Image, ToolDefinitionError, errors, prompt, resource, tool


class Mode(Enum):
    FAST = "fast"
    SLOW = "slow"


class Odd(Enum):
    PAIR = (1, 2)
    DAY = datetime.date(2020, 1, 2)
    RAW = b"raw"


class Level(IntEnum):
    LOW = 1


Json = dict[str, "Json"] | list["Json"] | str
"""Which nothing can resolve: at run time it is not a name, but what it stands for."""


class Flags(IntFlag):
    A = 1
    B = 2


class Rights(Flag):
    READ = 1
    WRITE = 2


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)

    a: int


class Pair(NamedTuple):
    a: int
    b: str


class Fast(BaseModel):
    mode: Literal[Mode.FAST]


class Slow(BaseModel):
    mode: Literal[Mode.SLOW]


class Lazy(BaseModel):
    items: Iterable[int] = ()
    ratio: float = 0
    name: str = None  # type: ignore[assignment] - as many people write it


class Tree(BaseModel):
    name: str
    kids: list[Tree] = []


class Movie(TypedDict):
    year: float


@pytest.mark.parametrize(
    ("annotation", "given", "value"),
    [
        (int, 5.0, 5),
        (int, 1e3, 1000),
        (int, -0.0, 0),
        (list[int], [5.0], [5]),
        (dict[str, int], {"a": 5.0}, {"a": 5}),
        (int | None, 5.0, 5),
        (int | str, 5.0, 5),
        (Annotated[int, Field(ge=1)], 5.0, 5),
        (Literal[Mode.FAST], "fast", Mode.FAST),
        (Literal["x", Mode.FAST], "fast", Mode.FAST),
        (Literal["x", Mode.FAST], "x", "x"),
        (Literal[b"x"], "x", b"x"),
        (Odd, [1, 2], Odd.PAIR),
        (Odd, "2020-01-02", Odd.DAY),
        (Odd, "raw", Odd.RAW),
        (Annotated[Fast | Slow, Field(discriminator="mode")], {"mode": "slow"}, Slow(mode=Mode.SLOW)),
        (dict[Literal[1, 2], int], {"2": 1}, {2: 1}),
        (dict[Literal[Mode.FAST], int], {"fast": 1}, {Mode.FAST: 1}),
        (dict[Level, int], {"1": 1}, {Level.LOW: 1}),
        (dict[int, int], {"-7": 1}, {-7: 1}),
        (dict[bool, int], {"true": 1}, {True: 1}),
        (Flags, 3, Flags.A | Flags.B),
        (Flags, 2**63, Flags(2**63)),
        (Rights | int, -2, -2),
        (Flags, -9.223372036854778e18, Flags(-9223372036854777856)),
        (Iterable[int], [1, 2], [1, 2]),
        (Iterable[int] | None, [1], [1]),
        (Iterable, [1, "a"], [1, "a"]),
        (list[Iterable[int]], [[1]], [[1]]),
        (Generator[int], [1], [1]),
        (Pair, [1, "b"], Pair(1, "b")),
        (tuple[float, float], [1, 2], (1.0, 2.0)),
        (tuple[()], [], ()),
        (Annotated[int | float, Field(ge=1)], 2, 2),
        (JsonValue, {"a": [1]}, {"a": [1]}),
        (Decimal, "-1.50e-3", Decimal("-0.00150")),
    ],
)
def test_what_is_listed_is_taken(annotation: Any, given: Any, value: Any) -> None:
    made = taking(annotation)
    assert is_listed(made, given)
    taken = made.arguments({"x": given})["x"]
    assert (taken, type(taken)) == (value, type(value))


@pytest.mark.parametrize(
    ("annotation", "given", "where"),
    [
        (int, 5.5, "x"),
        (int, True, "x"),
        (Literal[Mode.FAST], "slow", "x"),
        (Literal[1], True, "x"),
        (Literal["a", True], 1, "x"),
        (int | Literal["a", 1], True, None),
        (Level, True, "x"),
        (Odd, [1], "x"),
        (dict[Literal[1, 2], int], {"3": 1}, "x.3.[key]"),
        (dict[Level, int], {"2": 1}, "x.2.[key]"),
        (dict[int, int], {"a": 1}, "x.a.[key]"),
        (Iterable[int], ["a"], "x.0"),
        (Iterable[str], "abc", "x"),
        (Iterable[str], {"a": 1}, "x"),
        (list[Iterable[int]], [["a"]], "x.0.0"),
        (Lazy, {"items": ["a"]}, "x.items.0"),
        (tuple[float, float], [1], "x.1"),
        (Annotated[int | float, Field(ge=1)], 0, "x"),
        (Decimal, "", "x"),
        (Decimal, "1.2.3", "x"),
    ],
)
def test_what_is_not_listed_is_refused_where_it_is(annotation: Any, given: Any, where: str | None) -> None:
    made = taking(annotation)
    assert not is_listed(made, given)
    with pytest.raises(errors.InvalidParams) as raised:
        made.arguments({"x": given})
    assert where is None or raised.value.details[0]["field"] == f"params.{where}"


def test_a_query_fills_the_same() -> None:
    assert taking(Literal[Mode.FAST]).from_query({}, {"x": ["fast"]}).arguments == {"x": Mode.FAST}
    assert taking(Odd).from_query({}, {"x": ["[1,2]"]}).arguments == {"x": Odd.PAIR}
    assert taking(Iterable[int]).from_query({}, {"x": ["1"]}).arguments == {"x": [1]}


def test_an_iterable_can_be_read_twice() -> None:
    xs = taking(Iterable[int]).arguments({"x": [1, 2]})["x"]
    assert [len(list(xs)), len(list(xs))] == [2, 2]
    items = taking(Lazy).arguments({"x": {"items": [1, 2]}})["x"].items
    assert [len(list(items)), len(list(items))] == [2, 2]


@pytest.mark.parametrize("annotation", [float, Lazy, Movie, list[float]])
@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity"])
def test_nan_and_the_infinities_come_in_nowhere(annotation: Any, text: str) -> None:
    given = {Lazy: {"ratio": text}, Movie: {"year": text}}.get(annotation, text)
    made = taking(annotation)
    with pytest.raises(errors.InvalidParams):
        made.from_query({"x": given}, {}) if annotation in {Lazy, Movie} else made.from_query({}, {"x": [text]})


# --- defaults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("annotation", [str, list[str], Lazy, Annotated[int, Field(ge=1)], Mode, Literal["a"]])
def test_a_default_of_none_makes_null_a_value(annotation: Any) -> None:
    for default in (None, Field(None)):
        made = taking(annotation, default)
        assert is_listed(made, None)
        assert made.input_schema["properties"]["x"]["default"] is None
        assert made.arguments({"x": None}) == {"x": None} == made.arguments({})


def test_a_default_of_none_in_a_model_does_too() -> None:
    made = taking(Lazy)
    assert is_listed(made, {"name": None})
    assert made.arguments({"x": {"name": None}})["x"].name is None


@pytest.mark.parametrize(
    ("annotation", "default", "value", "listed"),
    [
        (Path, "x", Path("x"), "x"),
        (Mode, "fast", Mode.FAST, "fast"),
        (tuple[int, ...], [1], (1,), [1]),
        (Decimal, "0.5", Decimal("0.5"), "0.5"),
        (float, 0, 0, 0),
        (datetime.date, "2020-01-02", datetime.date(2020, 1, 2), "2020-01-02"),
    ],
)
def test_a_default_is_of_the_type_that_is_declared(annotation: Any, default: Any, value: Any, listed: Any) -> None:
    made = taking(annotation, default)
    taken = made.arguments({})["x"]
    assert (taken, type(taken)) == (value, type(value))
    assert made.input_schema["properties"]["x"]["default"] == listed


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (int, "abc"),
        (Annotated[int, Field(ge=1)], 0),
        (Literal["a", "b"], "c"),
        (Mode, "zzz"),
        (list[int], ["a"]),
        (int, Field("abc")),
    ],
)
def test_a_default_that_its_type_refuses_is_refused(annotation: Any, default: Any) -> None:
    with pytest.raises(
        ToolDefinitionError, match=r"function: the parameter x .*its default .* is none of its own type"
    ):
        taking(annotation, default)


@pytest.mark.parametrize("default", [math.inf, math.nan, object(), {"a": math.nan}])
def test_a_default_that_json_lacks_is_not_listed_and_is_the_default_all_the_same(default: Any) -> None:
    made = taking(dict[str, float] if isinstance(default, dict) else float, default)
    assert "default" not in made.input_schema["properties"]["x"]
    assert "required" not in made.input_schema
    assert made.arguments({})["x"] is default or isinstance(default, dict)


def test_no_function_of_the_authors_is_called_at_definition() -> None:
    def explode(_: Any) -> Any:
        raise AssertionError("it was called")

    made = taking(Annotated[int, BeforeValidator(explode)], 5)
    assert made.arguments({}) == {"x": 5}


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (dict[tuple[int, int], int], "cannot become a tuple; take a list of pairs"),
        (dict[Frozen, int], "cannot become a model"),
        (list[dict[Frozen, int]], "cannot become a model"),
        (type[int], "a class cannot be sent as JSON"),
        (Annotated[int, Field(validation_alias=AliasPath("a", 0))], "an AliasPath cannot be listed"),
        (Annotated[Path, Field(max_length=9)], "max_length=9 cannot apply to a .*Path"),
        (Annotated[list[int], Field(ge=1)], "ge=1 cannot apply to"),
        (Annotated[int | str, Field(max_length=5)], "max_length=5 cannot apply to 1"),
        (Annotated[Mode, Field(max_length=5)], "max_length=5 cannot apply to"),
        (Annotated[str, Field(ge=1)], "ge=1 cannot apply to 'a'"),
        (Annotated[dict[str, int], Field(multiple_of=2)], "multiple_of=2 cannot apply to"),
        (Annotated[int, Field(max_length=5)], "max_length=5 cannot apply to 1"),
        (Annotated[str, Field(pattern=r"(?=a)b")], r"\(\?=a\)b .*look-around.* is not supported"),
        (Annotated[str, Field(pattern="(")], r"unclosed group"),
        (list[Annotated[str, Field(pattern=r"(a)\1")]], "backreferences are not supported"),
        (Literal["\udcff"], "error extracting str"),
        (Callable[[], int], r"CallableSchema\. Take what JSON has"),
        (Image, r"Image.*\. Take what JSON has"),
    ],
)
def test_what_no_caller_can_fill_is_refused_with_function_parameter_reason(annotation: Any, said: str) -> None:
    def function(before: int, x: Any, after: str) -> None: ...

    function.__annotations__["x"] = annotation
    with pytest.raises(ToolDefinitionError, match="function: .*the parameter x.*" + said) as raised:
        tool(function)
    assert "\n" not in str(raised.value)
    assert "arbitrary_types_allowed" not in str(raised.value)


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[datetime.date, Field(ge=datetime.date(2020, 1, 1))],
        Annotated[str, Field(ge="b")],
        Annotated[int | None, Field(ge=1)],
        Annotated[str | None, Field(max_length=3)],
        Annotated[Decimal | int, Field(ge=1)],
        Annotated[list[int], Field(min_length=2)],
        Annotated[int, Field(validation_alias=AliasChoices("a", "b"))],
        dict[str | None, int],
    ],
)
def test_what_can_be_filled_is_not_refused(annotation: Any) -> None:
    taking(annotation)


@pytest.mark.parametrize(
    ("annotation", "right", "wrong"),
    [
        (dict[int, str], {"1": "a", "-2": "b", "0": "c"}, ["01", "-0", "+1", "1.0", " 1", "", "1" * 400]),
        (dict[bool, str], {"true": "a", "false": "b"}, ["True", "1", "yes", "on", ""]),
        (dict[Annotated[str, Field(pattern="^a")], str], {"ab": "a"}, ["b", ""]),
    ],
)
def test_a_name_of_a_dict_is_written_in_one_way(annotation: Any, right: dict[str, str], wrong: list[str]) -> None:
    made = taking(annotation)
    assert len(made.arguments({"x": right})["x"]) == len(right)
    assert is_listed(made, right)
    for name in wrong:
        assert not is_listed(made, {name: "a"})
        with pytest.raises(errors.InvalidParams):
            made.arguments({"x": {name: "a"}})


def test_a_type_that_means_nothing_says_what_to_write() -> None:
    with pytest.raises(ToolDefinitionError, match=r"parameter x .*refers to Json.*TypeAliasType.*JsonValue"):

        @tool
        def function(x: Json) -> None: ...  # of the module that has the name


def test_two_names_that_are_one_for_callers() -> None:
    with pytest.raises(ToolDefinitionError, match="two parameters are named a"):

        @tool
        def function(a: int, b: Annotated[int, Field(alias="a")]) -> None: ...


def test_a_subclass_of_context() -> None:
    class Mine(Context):
        pass

    with pytest.raises(ToolDefinitionError, match="the parameter x is annotated Mine, a subclass of Context"):
        taking(Mine)


# --- a validator that raises -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raised", [KeyError("a"), ZeroDivisionError(), StopIteration(), SystemExit(1), KeyboardInterrupt()]
)
def test_what_a_validator_raises_is_for_the_run(raised: BaseException) -> None:
    def explode(_: Any) -> Any:
        raise raised

    made = taking(Annotated[str, BeforeValidator(explode)])
    for arguments in (made.arguments({"x": "a"}), made.from_query({}, {"x": ["a"]}).arguments):
        error = getattr(arguments, "error", None)
        assert isinstance(error, Exception)
        assert raised in (error, error.__cause__)


# --- all parameters as one model -------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Tree, RootModel[Frozen], RootModel[dict[str, int]]])
def test_the_root_is_an_object(model: Any) -> None:
    def function(m: Any) -> None: ...

    function.__annotations__ = {"m": model}
    made = tool(parameters=model)(function)
    assert made.input_schema["type"] == "object"
    assert isinstance(made.input_schema["properties"], dict)


def test_parameters_of_a_model_that_refers_to_itself() -> None:
    @tool(parameters=Tree, read_only=True)
    def plant(tree: Tree) -> str:
        return tree.name

    assert plant.input_schema["properties"]["kids"]["items"] == {"$ref": "#/$defs/Tree"}
    assert plant.arguments({"name": "a", "kids": [{"name": "b"}]})["tree"].kids == [Tree(name="b")]
    with pytest.raises(errors.InvalidParams):
        plant.arguments({"name": "a", "nope": 1})

    class Hammer(BaseModel):
        tool: str
        tags: list[str] = []
        inner: Hammer | None = None

    Hammer.model_rebuild(_types_namespace={"Hammer": Hammer})
    with pytest.raises(ToolDefinitionError, match="cannot have a parameter named tool"):

        @tool(parameters=Hammer, read_only=True)
        def hit(hammer: Hammer) -> None: ...

    @tool(parameters=Hammer)
    def hit_(hammer: Hammer) -> None: ...

    assert hit_.from_query({}, {"tool": ["x"], "tags": ["a"]}).arguments["hammer"].tags == ["a"]


@pytest.mark.parametrize("model", [RootModel[list[int]], RootModel[Frozen | Tree], RootModel[int]])
def test_parameters_that_are_no_object(model: Any) -> None:
    def function(m: Any) -> None: ...

    function.__annotations__ = {"m": model}
    with pytest.raises(ToolDefinitionError, match=r"function: the parameters are a JSON object.*Write a model"):
        tool(parameters=model)(function)


def test_a_name_that_a_model_does_not_have_is_refused_unless_it_says_otherwise() -> None:
    class Flat(BaseModel):
        a: int

    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")
        a: int

    @tool(parameters=Flat)
    def flat(m: Flat) -> None: ...

    @tool(parameters=Open)
    def open_(m: Open) -> None: ...

    assert flat.input_schema["additionalProperties"] is False
    with pytest.raises(errors.InvalidParams, match=r"params\.b: There is no field of this name"):
        flat.arguments({"a": 1, "b": 2})
    assert open_.arguments({"a": 1, "b": 2})["m"].b == 2


# --- what cannot be sent ---------------------------------------------------------------------------------------------


LONE = "reads \udcff"


def documented(x: int = 0) -> None: ...


documented.__doc__ = LONE


@pytest.mark.parametrize(
    "define",
    [
        lambda: tool(description=LONE)(lone),
        lambda: tool(title=LONE)(lone),
        lambda: tool(documented),
        lambda: taking(Annotated[int, Field(description=LONE)]),
        lambda: taking(str, LONE),
        lambda: resource("a://b", description=LONE)(lone),
        lambda: resource("a://b", name=LONE)(lone),
        lambda: prompt(description=LONE)(lone),
        lambda: prompt(documented),
    ],
)
def test_a_lone_surrogate_is_refused_before_it_takes_the_others_with_it(define: Callable[[], Any]) -> None:
    with pytest.raises(ToolDefinitionError, match=r"(?s)its .* cannot be sent: .*surrogate"):
        define()


def test_no_document_gets_a_number_that_json_lacks() -> None:
    listed = taking(Annotated[float, Field(ge=-math.inf, lt=math.inf)]).input_schema["properties"]["x"]
    assert listed == {"type": "number"}
    for field in (Field(examples=[math.nan]), Field(json_schema_extra={"x-range": [0, math.inf]})):
        with pytest.raises(ToolDefinitionError, match=r"its parameter x cannot be sent: .*JSON has neither NaN"):
            taking(Annotated[float, field])


def lone() -> str:
    return "x"


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("readonly", "Did you mean read_only"),
        ("timelimit", "Did you mean time_limit"),
        ("zzz", "There are at_once, description,"),
    ],
)
def test_an_option_that_tool_does_not_have(option: str, said: str) -> None:
    with pytest.raises(ToolDefinitionError, match=f"@tool has no option {option}. {said}"):
        tool(**{option: True})


def test_a_choice_of_a_union_is_not_called_by_the_functions_around_it() -> None:
    def check(value: Any) -> Any:
        return value

    checked = Annotated[list[int], AfterValidator(check), BeforeValidator(check)]
    made = taking(checked | bool)
    with pytest.raises(errors.InvalidParams) as caught:
        made.validated({"x": [None]})
    assert [each["field"] for each in caught.value.details] == ["params.x.list[int].0", "params.x"]


def test_options_beside_a_function_are_refused_and_not_dropped() -> None:
    with pytest.raises(ToolDefinitionError, match=r"write tool\(name=…, strict=…\)\(function\)"):
        tool(documented, name="other", strict=True)  # type: ignore[call-overload]
