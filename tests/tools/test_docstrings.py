"""The three conventions of docstrings, and what is none of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.authoring.docstrings import describe

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


@pytest.mark.parametrize("docstring", [GOOGLE, SPHINX, NUMPY], ids=["google", "sphinx", "numpy"])
def test_the_conventions_say_the_same(docstring: str) -> None:
    description, parameters = describe(docstring)
    assert description == "Look at a domain.\n\nIn all its parts."
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


LINES = st.sampled_from(
    ["Args:", "Parameters", "---", "----------", "    x: y", "x : int", ":param x: y", ":", "  ", "", "Returns:", "z"]
)


@given(st.lists(LINES | st.text()).map("\n".join))
def test_any_text_is_read(docstring: str) -> None:
    description, parameters = describe(docstring)
    assert description == description.strip()
    assert all(parameters.values())
