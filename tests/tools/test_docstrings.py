"""The three conventions of docstrings, and what is none of them."""

import functools
import inspect
import itertools
import re
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from mcp_app import Context, prompt, resource, tool
from mcp_app.authoring.docstrings import Docstring


def describe(docstring: str | None) -> tuple[str, dict[str, str]]:
    parsed = Docstring(docstring)
    return parsed.description(), parsed.parameters


GOOGLE = """Look at a domain.

    In all its parts.

    Args:
        domain: The domain,
            without a scheme: only the name.
        depth (int): How deep.
        steps (Sequence[tuple[str, int]], optional): Which ones (all by default): names.
        **more (dict(str, int)): What else.
        silent:

    Returns:
        A verdict: good or bad.

    Raises:
        ValueError: never.
    """

SPHINX = """Look at a domain.

    In all its parts.

    :param domain: The domain,
        without a scheme: only the name.
    :param int depth: How deep.
    :type domain: str
    :param Sequence[tuple[str, int]] steps: Which ones (all by default): names.
    :parameter more : What else.
    :param silent:
    :returns: A verdict.
    :raises ValueError: never.
    """

NUMPY = """Look at a domain.

    In all its parts.

    Parameters
    ----------
    domain : str
        The domain,
        without a scheme: only the name.
    depth
        How deep.

    steps : Sequence[tuple[str, int]], optional
        Which ones (all by default): names.
    silent : bool

    Other Parameters
    ----------------
    more : dict
        What else.

    Returns
    -------
    str
        A verdict.
    """


@pytest.mark.parametrize(
    ("docstring", "more"),
    [
        (GOOGLE, "Returns:\n    A verdict: good or bad.\n\nRaises:\n    ValueError: never."),
        (SPHINX, ":returns: A verdict.\n:raises ValueError: never."),
        (NUMPY, "Returns\n-------\nstr\n    A verdict."),
    ],
    ids=["google", "sphinx", "numpy"],
)
def test_the_conventions_say_the_same(docstring: str, more: str) -> None:
    description, parameters = describe(docstring)
    assert description == f"Look at a domain.\n\nIn all its parts.\n\n{more}"
    assert parameters == {
        "domain": "The domain, without a scheme: only the name.",
        "depth": "How deep.",
        "steps": "Which ones (all by default): names.",
        "more": "What else.",
    }


def test_numpy_names_two_at_once() -> None:
    assert describe("Add.\n\nParameters\n----------\nx, y : int\n    A number.")[1] == {
        "x": "A number.",
        "y": "A number.",
    }


@pytest.mark.parametrize("docstring", [None, "", "  \n "])
def test_nothing_said(docstring: str | None) -> None:
    assert describe(docstring) == ("", {})


@pytest.mark.parametrize(
    "docstring",
    [
        "One line: with a colon.",
        "Scan.\n\nDetails\n-------\nThis is Markdown, not a section of parameters.",
        "Scan.\n\n---\n\nMore.",
        "Note that Args: are not listed here.",
        ":not a field",
    ],
)
def test_what_is_no_convention_is_description(docstring: str) -> None:
    assert describe(docstring) == (docstring, {})


def test_text_after_a_section_is_description_again() -> None:
    docstring = "Scan.\n\nArgs:\n    x: The x.\n\nBe patient."
    assert describe(docstring) == ("Scan.\n\nBe patient.", {"x": "The x."})


GOOGLE_SECTIONS = [
    *("Return", "Returns", "Yield", "Yields", "Raises", "Example", "Examples", "Note", "Notes", "See Also"),
    *("Warning", "Warnings", "Todo", "Tip", "Important", "Attention", "Caution", "Danger", "References", "Warns"),
]
NUMPY_SECTIONS = [
    *("Returns", "Yields", "Receives", "Raises", "Warns", "Warnings", "See Also", "Notes", "References", "Examples"),
]


@pytest.mark.parametrize("section", GOOGLE_SECTIONS)
@pytest.mark.parametrize("before", [True, False])
def test_googles_other_sections_are_description(section: str, before: bool) -> None:
    kept, args = f"{section}:\n    Ask first: it cannot be undone.\n\n    Really.", "Args:\n    x: The x."
    docstring = f"Delete.\n\n{kept}\n\n{args}" if before else f"Delete.\n\n{args}\n\n{kept}\n"
    assert describe(docstring) == (f"Delete.\n\n{kept}", {"x": "The x."})


@pytest.mark.parametrize("section", NUMPY_SECTIONS)
@pytest.mark.parametrize("before", [True, False])
def test_numpys_other_sections_are_description(section: str, before: bool) -> None:
    kept = f"{section}\n{'-' * len(section)}\nAsk first.\n\n>>> delete(1)"
    parameters = "Parameters\n----------\nx : int\n    The x."
    docstring = f"Delete.\n\n{kept}\n\n{parameters}" if before else f"Delete.\n\n{parameters}\n\n{kept}\n"
    assert describe(docstring) == (f"Delete.\n\n{kept}", {"x": "The x."})


@pytest.mark.parametrize(
    "kept",
    [
        ":returns: how many\n    were deleted",
        ":raises LookupError: if there is none",
        ":return: how many",
        ".. warning:: Ask first.",
        ".. note::\n\n    Ask first.",
    ],
)
def test_sphinxs_other_fields_are_description(kept: str) -> None:
    docstring = f"Delete.\n\n:param x: The x.\n:type x: int\n{kept}\n:rtype: int"
    assert describe(docstring) == (f"Delete.\n\n{kept}", {"x": "The x."})


@pytest.mark.parametrize("entry", ["x: The x.", "- x: The x.", "* x: The x.", "`x`: The x.", "**x** (int): The x."])
def test_googles_entries_are_read_as_people_write_them(entry: str) -> None:
    assert describe(f"Delete.\n\nArgs:\n    {entry}\n    y: The y.") == ("Delete.", {"x": "The x.", "y": "The y."})


GOOGLE_STRAY = """Delete.

Args:
    All numbers are from 1 on.
    x: The x,
        of the list.
    force: Not a parameter
        any more.

    Ask first.

Be patient."""
GOOGLE_KEPT = """Delete.

Args:
    All numbers are from 1 on.
    force: Not a parameter
        any more.

    Ask first.

Be patient."""
NUMPY_STRAY = """Delete.

Parameters
----------
x : int
    The x.
force : bool
    Not a parameter any more.

Returns
-------
int"""
NUMPY_KEPT = """Delete.

Parameters
----------
force : bool
    Not a parameter any more.

Returns
-------
int"""
SPHINX_STRAY = ":param x: The x.\n:param bool force: Not a parameter\n    any more.\n:returns: It."
SPHINX_KEPT = ":param bool force: Not a parameter\n    any more.\n\n:returns: It."


@pytest.mark.parametrize(
    ("docstring", "kept"),
    [(GOOGLE_STRAY, GOOGLE_KEPT), (NUMPY_STRAY, NUMPY_KEPT), (SPHINX_STRAY, SPHINX_KEPT)],
    ids=["google", "numpy", "sphinx"],
)
def test_what_describes_no_parameter_is_description(docstring: str, kept: str) -> None:
    assert Docstring(docstring).description({"x"}) == kept


def test_what_is_documented_of_a_tool_is_said_once() -> None:
    @tool
    async def delete(
        ctx: Context, x: int, from_: Annotated[str, Field(alias="from")], y: Annotated[int, Field(description="Y.")]
    ) -> int:
        """Delete.

        Args:
            ctx: the context
            x: The x.
            from_: The folder.
            y: The number.
            force: Gone since 1.0.

        Returns:
            How many.
        """
        return 1

    assert delete.description == "Delete.\n\nArgs:\n    force: Gone since 1.0.\n\nReturns:\n    How many."
    listed = {name: schema["description"] for name, schema in delete.input_schema["properties"].items()}
    assert listed == {"x": "The x.", "from": "The folder.", "y": "Y."}


def test_what_a_decorator_fills_is_no_matter_of_callers() -> None:
    def count(db: str, x: int) -> int:
        """Count.

        Args:
            db: the database
            x: The x.
        """
        return x

    def filled(function: Any) -> Any:
        @functools.wraps(function)
        def call(x: int) -> Any:
            return function("db", x)

        call.__signature__ = inspect.signature(call, follow_wrapped=False)  # type: ignore[attr-defined]
        return call

    bound = functools.partial(count, "db")
    for made in (tool(filled(count)), tool(name="bound")(bound)):
        assert made.description == "Count."
        assert made.input_schema["properties"]["x"]["description"] == "The x."


class Where(BaseModel):
    city: str
    country: Annotated[str, Field(description="Two letters.")]


def test_a_models_fields_are_described_where_nothing_else_does() -> None:
    @tool(parameters=Where)
    def forecast(where: Where) -> int:
        """Forecast.

        Args:
            city: In English.
            country: In English.
        """
        return 1

    assert forecast.description == "Forecast.\n\nArgs:\n    city: In English."


def test_prompts_and_resources_keep_their_sections() -> None:
    @prompt
    def ask(x: str) -> str:
        """Ask.

        Note:
            Politely.

        Args:
            x: whom
        """
        return x

    @resource("a://{x}")
    def read(x: str) -> str:
        """Read.

        Note:
            Slowly.

        Args:
            x: which
        """
        return x

    assert ask.description == "Ask.\n\nNote:\n    Politely."
    assert read.description == "Read.\n\nNote:\n    Slowly."


LINES = st.sampled_from(
    ["Args:", "Parameters", "---", "----------", "    x: y", "x : int", ":param x: y", ":", "  ", "", "Returns:", "z"]
)


SHAPES = st.sampled_from(
    [
        *("Args:", "Returns:", "Warning:", "Parameters\n----------", "Notes\n-----", "x : int", "", "    "),
        *(
            "{}",
            "    {}",
            "        {}",
            "    x: {}",
            "    y (int): {}",
            "    - x: {}",
            "    {}, {}",
            "    {}: x",
            "> {}",
        ),
        *(":param x: {}", ":param int y: {}", ":returns: {}", ":raises E: {}", "{}:"),
    ]
)


@given(st.lists(SHAPES))
def test_no_word_is_lost(shapes: list[str]) -> None:
    numbers = itertools.count()
    docstring = "\n".join(shape.replace("{}", "{0}").format(f"w{next(numbers)}w") for shape in shapes)
    for names in ({"x", "y"}, {"y"}, set[str]()):
        parsed = Docstring(docstring)
        kept = [parsed.description(names), *(parsed.parameters.get(name, "") for name in names)]
        for word in re.findall(r"w\d+w", docstring):
            assert any(word in each for each in kept), (word, docstring)


@given(st.lists(LINES | st.text()).map("\n".join))
def test_any_text_is_read(docstring: str) -> None:
    description, parameters = describe(docstring)
    assert description == description.strip()
    assert all(parameters.values())
