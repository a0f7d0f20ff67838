"""`Shared` and `Depends` in a signature: hidden from callers, read into a plan, or refused with what to do."""

from __future__ import annotations

import contextlib
import functools
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypeAliasType

from mcp_app import Context, Depends, Shared, Tool, ToolDefinitionError, complete, override, prompt, resource, tool
from mcp_app.authoring.completion import plans
from mcp_app.authoring.dependencies import Maker, Plan
from mcp_app.authoring.kind import Kind
from mcp_app.authoring.markers import marker_of

HERE = re.escape(__file__)


class Pool:
    """Whatever is shared."""


class Conn:
    """Whatever one call has."""


async def make_pool() -> AsyncIterator[Pool]:
    yield Pool()


def take(pool: Annotated[Pool, Shared(make_pool)], domain: str, ctx: Context) -> Iterator[Conn]:
    yield Conn()


def make_int() -> int:
    return 5


PoolHere = Annotated[Pool, Shared(make_pool)]
Named = TypeAliasType("Named", PoolHere)


def plan(made: Tool) -> Plan:
    found = made.plan
    assert found is not None
    return found


def names(makers: tuple[Maker, ...]) -> list[str]:
    return [each.name for each in makers]


# --- what callers see ------------------------------------------------------------------------------------------------


def test_what_is_made_is_hidden_from_callers() -> None:
    @tool
    async def query(
        domain: str, conn: Annotated[Conn, Depends(take)], pool: Annotated[Pool, Shared(make_pool)], limit: int = 5
    ) -> list[str]:
        """Ask the database.

        Args:
            domain: Whose rows.
            conn: What the author's reader wants to know.
        """
        return [domain] * limit

    assert list(query.input_schema["properties"]) == ["domain", "limit"]
    assert query.input_schema["required"] == ["domain"]
    assert query.description == "Ask the database."
    assert query.arguments({"domain": "a.example"}) == {"domain": "a.example", "limit": 5}
    with pytest.raises(Exception, match="conn"):
        query.arguments({"domain": "a.example", "conn": {}})


def test_a_tool_that_needs_nothing_has_no_plan() -> None:
    @tool
    def double(number: int) -> int:
        return 2 * number

    assert double.plan is None


async def test_in_python_the_tool_is_the_function() -> None:
    @tool
    async def query(domain: str, conn: Annotated[Conn, Depends(take)]) -> str:
        return f"{domain} {type(conn).__name__}"

    assert await query(domain="a", conn=Conn()) == "a Conn"
    assert await query("a", Conn()) == "a Conn"


def test_the_model_of_all_parameters_leaves_it_out() -> None:
    class Question(BaseModel):
        domain: str

    def of(question: Question) -> int:
        return len(question.domain)

    def count(question: Question, size: Annotated[int, Depends(of)]) -> int:
        return size

    made = tool(parameters=Question)(count)
    assert list(made.input_schema["properties"]) == ["domain"]
    assert made.plan is not None
    assert made.plan.makers[0].parameters == ("question",)


# --- the plan --------------------------------------------------------------------------------------------------------


def test_each_maker_stands_behind_those_that_it_needs_and_once() -> None:
    def make_settings() -> dict[str, str]:
        return {}

    def make_engine(settings: Annotated[dict[str, str], Shared(make_settings)]) -> Pool:
        return Pool()

    def begin(engine: Annotated[Pool, Shared(make_engine)]) -> Conn:
        return Conn()

    def user(conn: Annotated[Conn, Depends(begin)]) -> int:
        return 1

    async def report(
        user: Annotated[int, Depends(user)],
        conn: Annotated[Conn, Depends(begin)],
        engine: Annotated[Pool, Shared(make_engine)],
    ) -> int:
        return user

    found = plan(tool(report))
    assert [name.rpartition(".")[2] for name in names(found.shared)] == ["make_settings", "make_engine"]
    assert [name.rpartition(".")[2] for name in names(found.makers)] == ["begin", "user"]
    assert [parameter for parameter, _ in found.arguments] == ["user", "conn", "engine"]
    assert found.arguments[1][1] is found.makers[0]


def test_a_value_of_a_call_and_one_that_is_shared_are_two() -> None:
    async def both(once: Annotated[int, Depends(make_int)], always: Annotated[int, Shared(make_int)]) -> int:
        return once + always

    found = plan(tool(both))
    assert names(found.shared) == names(found.makers) == ["make_int"]


class Service:
    def __init__(self, pool: PoolHere, domain: str = "", *more: Any, size: int = 3, **options: Any) -> None:
        self.made_of = pool, domain, size

    def method(self, domain: str) -> int:
        return len(domain)

    @contextlib.contextmanager
    def session(self, domain: str) -> Iterator[int]:
        yield len(domain)


class Called:
    async def __call__(self, domain: str) -> AsyncIterator[int]:
        yield len(domain)


@contextlib.asynccontextmanager
async def entered(domain: str) -> AsyncIterator[int]:
    yield len(domain)


@contextlib.contextmanager
def opened(domain: str, size: int = 3) -> Iterator[int]:
    yield size


async def returned(domain: str) -> int:
    return 1


async def yielded(domain: str) -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("make", "kind", "name"),
    [
        (returned, Kind.COROUTINE, "returned"),
        (yielded, Kind.ASYNC_GENERATOR, "yielded"),
        (take, Kind.GENERATOR, "take"),
        (make_int, Kind.FUNCTION, "make_int"),
        (Service, Kind.FUNCTION, "Service"),
        (Service.method, None, ""),
        (Service(Pool()).method, Kind.FUNCTION, "Service.method"),
        (Service(Pool()).session, Kind.GENERATOR, "Service.session"),
        (Called(), Kind.ASYNC_GENERATOR, "Called.__call__"),
        (entered, Kind.ASYNC_GENERATOR, "entered"),
        (opened, Kind.GENERATOR, "opened"),
        (functools.partial(opened, size=4), Kind.GENERATOR, "opened"),
        (functools.partial(returned), Kind.COROUTINE, "returned"),
    ],
    ids=lambda value: None if not callable(value) else re.sub(r" at 0x\w+", "", repr(value))[:40],
)
def test_what_can_be_a_maker(make: Callable[..., Any], kind: Kind | None, name: str) -> None:
    async def query(domain: str, value: Annotated[Any, Depends(make)]) -> str:
        return domain

    if kind is None:
        with pytest.raises(ToolDefinitionError, match=r"the parameter self of its maker .* is nobody's to fill"):
            tool(query)
        return
    maker = plan(tool(query)).makers[-1]
    assert (maker.kind, maker.name) == (kind, name)
    assert re.fullmatch(rf"{re.escape(name)} \({HERE}:\d+\)", maker.where)


def test_a_maker_may_be_decorated_by_a_class_of_another_module() -> None:
    elsewhere: dict[str, Any] = {"update_wrapper": functools.update_wrapper}
    exec(COUNTED, elsewhere)

    async def query(domain: str, size: Annotated[int, Depends(elsewhere["Counted"](size_of))]) -> str:
        return domain

    maker = plan(tool(query)).makers[-1]
    assert (maker.parameters, [name for name, _ in maker.makers]) == (("domain",), ["pool"])
    assert maker.where == f"size_of ({__file__}:{size_of.__code__.co_firstlineno})"


def size_of(domain: str, pool: PoolHere) -> int:
    return len(domain)


COUNTED = """
class Counted:
    def __init__(self, function):
        self.function = function
        update_wrapper(self, function)
    def __call__(self, *args, **options):
        return self.function(*args, **options)
"""


def test_a_constructor_has_its_own_parameters() -> None:
    async def query(domain: str, service: Annotated[Service, Depends(Service)]) -> str:
        return domain

    found = plan(tool(query)).makers[0]
    assert (found.parameters, [name for name, _ in found.makers]) == (("domain",), ["pool"])


@pytest.mark.parametrize("annotation", [PoolHere, Named, Annotated[Named, Field(description="the pool")]], ids=str)
def test_a_marker_counts_by_whatever_name(annotation: Any) -> None:
    async def query(pool: annotation) -> str:
        return ""

    assert [name for name, _ in plan(tool(query)).arguments] == ["pool"]


def test_the_type_of_the_same_name_may_be_annotated_otherwise() -> None:
    def host(domain: Annotated[str, "for this one"], limit: int | None) -> str:
        return domain

    async def query(
        domain: Annotated[str, Field(max_length=253)],
        host: Annotated[str, Depends(host)],
        limit: Annotated[int | None, Field(ge=0)] = None,
    ) -> str:
        return host

    assert plan(tool(query)).makers[0].parameters == ("domain", "limit")


def test_prompts_resources_and_completions_have_plans() -> None:
    def domains(prefix: str, chosen: Mapping[str, str], pool: Annotated[Pool, Shared(make_pool)]) -> list[str]:
        return [prefix]

    @prompt
    async def summarise(domain: Annotated[str, complete(domains)], conn: Annotated[Conn, Depends(take)]) -> str:
        return domain

    @resource("db://{domain}")
    def rows(domain: str, conn: Annotated[Conn, Depends(take)]) -> str:
        return domain

    reading, _ = rows.reading("db://a", {"domain": "a"})
    for callee in (summarise, reading):
        assert callee.plan is not None
        assert names(callee.plan.makers) == ["take"]
    assert [argument["name"] for argument in summarise.wire()["arguments"]] == ["domain"]
    assert [names(each.shared) for each in plans(summarise.signature)] == [["make_pool"], ["make_pool"]]


if sys.version_info >= (3, 12):

    @pytest.mark.parametrize("annotation", ["Json", "Tree[int]", "Grows[int]", "Json | Annotated[Tree[Json], 5]"])
    def test_a_type_that_contains_itself_holds_no_marker(annotation: str) -> None:
        module: dict[str, Any] = {}
        exec(RECURSIVE, module)
        assert marker_of(eval(annotation, module), "x", "query") is None
        inside = f"{annotation} | Tree[Annotated[int, Shared(int)]]"
        with pytest.raises(ToolDefinitionError, match="the parameter x has its Shared inside of its type"):
            marker_of(eval(inside, module), "x", "query")


RECURSIVE = """
from typing import Annotated
from mcp_app import Shared
type Json = dict[str, Json] | list[Json] | int
type Tree[T] = T | list[Tree[T]]
type Grows[T] = T | list[Grows[list[T]]]
"""


# --- what is refused -------------------------------------------------------------------------------------------------


def nobody(what: int) -> int:
    return what


def first(second: Annotated[int, Depends(second)]) -> int:
    return second


def second(first: Annotated[int, Depends(first)]) -> int:
    return first


def bare(domain) -> int:  # type: ignore[no-untyped-def]
    return 1


def unknown(domain: Nowhere) -> int:  # type: ignore[name-defined]  # noqa: F821
    return 1


def of_pool(pool: Pool) -> int:
    return 1


def positional(domain: str, /) -> int:
    return 1


def spelt(pool: Pool = Depends(make_pool)) -> int:  # type: ignore[assignment]  # noqa: B008 - as others spell it
    return 1


class Depending:
    """As another package has it."""


Depending.__name__ = "Depends"
Depending.__module__ = "fastapi.params"


def _refused(make: Callable[..., Any], marker: type[Depends | Shared] = Depends) -> Any:
    return Annotated[int, marker(make)]


@pytest.mark.parametrize(
    ("annotation", "problem"),
    [
        (
            _refused(nobody),
            rf"query: the parameter what of its maker nobody \({HERE}:\d+\) is nobody's to fill. It is a",
        ),
        (_refused(nobody), r"another Depends or Shared, or a parameter of query with the same name and type: domain"),
        (
            _refused(first),
            r"first \(.*\) needs second \(.*\) needs first \(.*\): a circle, .*Let one of them do without",
        ),
        (_refused(bare), r"the parameter domain of its maker bare .* has no annotation. Write its type, str"),
        (_refused(unknown), r"unknown \(.*\): an annotation cannot be resolved: name 'Nowhere' is not defined"),
        (_refused(of_pool), r"the parameter pool of its maker of_pool .*nobody's to fill. Annotate it as in query"),
        (_refused(positional), r"the parameter domain of its maker positional .* filled by name. Write it without the"),
        (_refused(spelt), r"spelt \(.*\): the parameter pool has Depends as its default.*`pool: Annotated\[the type, "),
        (
            _refused(take, Shared),
            r"the parameter domain of its maker take .* is nobody's to fill. What a Shared needs is another Shared",
        ),
        (
            _refused(lambda domain: domain),
            r"the parameter domain of its maker \S*<lambda> \(.*\) has no annotation. Write its type, str",
        ),
        (_refused(dict), r"query: the parameters of dict \(builtins\) are not known. Write a function that calls it"),
        (
            Annotated[int, Depends],
            r"query: the parameter conn is annotated Depends without a maker. Write Depends\(make",
        ),
        (Annotated[int, Shared(make_int), Depends(make_int)], r"the parameter conn is made by 2 makers. Write one"),
        (Annotated[int, Depends(make_int)] | None, r"the parameter conn has its Depends inside of its type"),
        (list[Annotated[int, Shared(make_int)]], r"the parameter conn has its Shared inside of its type"),
        (Annotated[int, Depending()], r"conn has the Depends of fastapi. Write `from mcp_app import Depends`"),
    ],
)
def test_what_cannot_be_made_is_refused_and_says_what_to_do(annotation: Any, problem: str) -> None:
    async def query(domain: str, pool: Annotated[Pool, Shared(make_pool)], conn: annotation) -> str:
        return ""

    with pytest.raises(ToolDefinitionError, match=problem):
        tool(query)


def test_another_type_of_the_same_name_is_refused() -> None:
    async def query(domain: int, ctx: Context, conn: Annotated[Conn, Depends(take)]) -> str:
        return ""

    with pytest.raises(ToolDefinitionError, match=r"the parameter domain of its maker take .* is str, and that of "):
        tool(query)


def test_a_shared_maker_has_no_call() -> None:
    def of_call(ctx: Context) -> int:
        return 1

    def of_conn(conn: Annotated[int, Depends(make_int)]) -> int:
        return conn

    for make, problem in [(of_call, "made before any call. Leave it out"), (of_conn, "Make it Shared")]:

        async def query(value: Annotated[int, Shared(make)]) -> int:
            return value

        with pytest.raises(ToolDefinitionError, match=problem):
            tool(query)


def test_a_default_is_no_place_for_a_marker() -> None:
    for marker in (Depends(make_int), Shared(make_int), Depends, Depending()):

        async def query(value: int = marker) -> int:  # type: ignore[assignment]
            return value

        with pytest.raises(ToolDefinitionError, match=r"the parameter value has \w+ as its default.*Annotated\[the "):
            tool(query)


class NoTruth:
    """Cannot be compared, as an array of numpy cannot."""

    def __eq__(self, other: object) -> Any:
        return self

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise ValueError("the truth value is ambiguous")


def test_a_default_need_not_be_comparable() -> None:
    def make(scale: Any = NoTruth()) -> int:  # noqa: B008 - made once, as an array would be
        return 1

    async def query(value: Annotated[int, Depends(make), NoTruth()]) -> int:
        return value

    assert names(plan(tool(query)).makers) == ["test_a_default_need_not_be_comparable.<locals>.make"]


def test_a_tool_is_no_maker() -> None:
    made = tool(make_int)

    async def query(value: Annotated[int, Depends(made)]) -> int:
        return value

    with pytest.raises(
        ToolDefinitionError, match=r"this is a tool, which callers call. Write a function that both use"
    ):
        tool(query)


@pytest.mark.parametrize("marker", [Shared, Depends])
def test_what_cannot_be_called_is_refused_where_it_is_written(marker: type[Shared | Depends]) -> None:
    with pytest.raises(ToolDefinitionError, match=rf"{marker.__name__}\(make\), not {marker.__name__}\(make\(\)\)"):
        marker(make_int())  # type: ignore[arg-type]
    with pytest.raises(ToolDefinitionError, match="one too many"):
        marker(Shared(make_int))  # type: ignore[arg-type]


def test_a_completion_has_no_context_and_no_arguments() -> None:
    def of_call(ctx: Context) -> int:
        return 1

    def values(prefix: str, chosen: Mapping[str, str], of: Annotated[int, Depends(of_call)]) -> list[str]:
        return []

    def of_prefix(prefix: str) -> int:
        return 1

    def others(prefix: str, chosen: Mapping[str, str], of: Annotated[int, Depends(of_prefix)]) -> list[str]:
        return []

    def late(of: Annotated[int, Depends(make_int)], prefix: str, chosen: Mapping[str, str]) -> list[str]:
        return []

    for function, problem in [
        (values, "a completion has none. Leave it out"),
        (others, "is nobody's to fill"),
        (late, "Further ones are made, by Shared or Depends"),
    ]:
        with pytest.raises(ToolDefinitionError, match=problem):
            complete(function)


def test_an_override_is_of_a_maker() -> None:
    for wrong in (Shared(make_int), 5):
        with pytest.raises(TypeError, match="write the function, as in override"):
            override(wrong, 1)  # type: ignore[arg-type]


def test_an_override_may_be_entered_within_itself() -> None:
    async def query(value: Annotated[int, Shared(make_int)]) -> int:
        return value

    def value() -> Any:
        found, given = plan(tool(query)).needed()
        return [*names(found), *given.values()]

    fake, other = override(make_int, 6), override(make_int, 7)
    with fake:
        with other:
            with fake:
                assert value() == [6]
            assert value() == [7]
        assert value() == [6]
    assert value() == ["make_int"]
