"""Our shapes of parameters and answers against the official models of the same: one verdict, at the same places.

The examples are the specifications'; each is also tried with every part of it taken away, null, or something else, and
with several parts changed at once, as hypothesis makes them up.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import mcp_types
import mcp_types._v2026_07_28 as v2026
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp_examples import ELICITED, EXAMPLES, MODERN, ROOTS, SAMPLED, SAMPLING, SESSIONS
from mcp_types.methods import CLIENT_REQUESTS, validate_client_request
from pydantic import BaseModel, ValidationError
from pydantic_core import SchemaValidator

from mcp_app.protocol.mcp import answers as mcp_answers
from mcp_app.protocol.mcp import headers as mcp_headers
from mcp_app.protocol.mcp import params as mcp_params

OLDER = ("2025-06-18", "2025-03-26", "2024-11-05")
WRONG: list[Any] = [
    *(None, True, False, 0, 7, -1.5, 3.0, 2**70, "", "x", "7", "true", [], ["x"], [None], [1], [{}], {}, {"x": 1}),
    {"x": "y"},
    {"x": {}},
]
ABSENT = object()


# --- what is compared ------------------------------------------------------------------------------------------------

Places = set[tuple[str, ...]]


def places(check: Callable[[], object]) -> Places:
    """Where something is wrong. The official names for a list of blocks say all that may be in it; ours is short."""
    try:
        check()
    except ValidationError as error:
        return {tuple("list" if str(part).startswith("list[union[") else str(part) for part in each["loc"])
                for each in error.errors()}  # fmt: skip
    return set()


def ours(method: str, version: str, params: Any) -> Places:
    return places(lambda: mcp_params.validator(method, version).validate_python(params))


def official(method: str, version: str, params: Any) -> Places:
    found = places(lambda: validate_client_request(method, version, params))
    assert all(place[0] == "params" for place in found)
    return {place[1:] for place in found}


def parts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from parts(inner, (*path, key))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy in which that part is another, or away."""
    if not path:
        return new
    whole = copy.deepcopy(value)
    holder = whole
    for key in path[:-1]:
        holder = holder[key]
    if new is ABSENT:
        del holder[path[-1]]
    else:
        holder[path[-1]] = new
    return whole


def part(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def variants(example: Any) -> Iterator[Any]:
    for path in list(parts(example))[1:]:
        for new in (ABSENT, *WRONG):
            yield changed(example, path, new)


# --- parameters ------------------------------------------------------------------------------------------------------

NAMES = [f"{version} {method}" for method, version, _ in EXAMPLES]


def test_the_methods_are_those_of_the_revisions() -> None:
    def of(version: str) -> set[str]:
        return {method for method, each in CLIENT_REQUESTS if each == version}

    assert (
        set(mcp_params.STATELESS_PARAMS)
        == of(MODERN)
        == {method for method, version, _ in EXAMPLES if version == MODERN}
    )
    assert (
        set(mcp_params.SESSION_PARAMS) == of(SESSIONS) == {each for each, version, _ in EXAMPLES if version == SESSIONS}
    )
    assert {of(version) <= of(SESSIONS) for version in OLDER} == {True}
    with pytest.raises(KeyError):
        mcp_params.validator("initialize", MODERN)
    with pytest.raises(KeyError):
        mcp_params.validator("server/discover", SESSIONS)


@pytest.mark.parametrize("older", OLDER)
def test_the_older_revisions_are_judged_by_the_same_models(older: str) -> None:
    for method, version in CLIENT_REQUESTS:
        if version == older:
            assert CLIENT_REQUESTS[method, older] is CLIENT_REQUESTS[method, SESSIONS]
            assert mcp_params.validator(method, older) is not None


def test_the_names_in_meta_are_the_official_ones() -> None:
    assert mcp_headers.VERSION_KEY == mcp_types.PROTOCOL_VERSION_META_KEY
    assert mcp_params.CLIENT_INFO_KEY == mcp_types.CLIENT_INFO_META_KEY
    assert mcp_params.CLIENT_CAPABILITIES_KEY == mcp_types.CLIENT_CAPABILITIES_META_KEY
    assert mcp_params.LOG_LEVEL_KEY == mcp_types.LOG_LEVEL_META_KEY
    assert mcp_params.SERVER_INFO_KEY == mcp_types.SERVER_INFO_META_KEY


@pytest.mark.parametrize(("method", "version", "params"), EXAMPLES, ids=NAMES)
def test_an_example_is_right(method: str, version: str, params: dict[str, Any]) -> None:
    assert ours(method, version, params) == official(method, version, params) == set()


@pytest.mark.parametrize(("method", "version", "params"), EXAMPLES, ids=NAMES)
def test_whatever_is_changed_in_an_example(method: str, version: str, params: dict[str, Any]) -> None:
    refused = 0
    for each in variants(params):
        found = ours(method, version, each)
        assert found == official(method, version, each), each
        refused += bool(found)
    assert refused or version == SESSIONS, "no change was wrong"


@pytest.mark.parametrize("params", WRONG)
def test_what_is_no_object_has_no_members(params: Any) -> None:
    if not isinstance(params, Mapping):
        with pytest.raises(ValidationError, match="valid dictionary"):
            mcp_params.validator("tools/call", MODERN).validate_python(params)


# --- what hypothesis makes of the examples ---------------------------------------------------------------------------

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def altered(draw: st.DrawFn, examples: list[Any]) -> Any:
    """An example in which up to five parts are away, anything at all, or what belongs elsewhere."""
    value = draw(st.sampled_from(examples))
    known = [found for each in examples for path in parts(each) for found in (part(each, path),)]
    for _ in range(draw(st.integers(1, 5))):
        paths = list(parts(value))[1:]
        if paths:
            new = draw(st.just(ABSENT) | st.sampled_from(WRONG) | st.sampled_from(known) | anything)
            value = changed(value, draw(st.sampled_from(paths)), new)
    return value


many = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize(("method", "version"), sorted({(method, version) for method, version, _ in EXAMPLES}))
def test_parameters_that_were_made_up(method: str, version: str) -> None:
    examples = [params for *of, params in EXAMPLES if of == [method, version]]

    @many
    @given(altered(examples))
    def verdicts(params: dict[str, Any]) -> None:
        assert ours(method, version, params) == official(method, version, params)

    verdicts()


# --- what is asked of a client, and its answers ----------------------------------------------------------------------

ANSWERS: list[tuple[SchemaValidator, type[BaseModel], dict[str, Any]]] = [
    (mcp_answers.sampling_params(), v2026.CreateMessageRequestParams, SAMPLING),
    (mcp_answers.sampling_result(), v2026.CreateMessageResult, SAMPLED),
    (mcp_answers.roots_result(), mcp_types.ListRootsResult, ROOTS),
    (mcp_answers.roots_result(), mcp_types.ListRootsResult, {**ROOTS, "_meta": {"a": 1}}),
    (SchemaValidator(mcp_answers.LIST_ROOTS_RESULT), v2026.ListRootsResult, {**ROOTS, "_meta": {"a": 1}}),
    (SchemaValidator(mcp_answers.ELICIT_RESULT), v2026.ElicitResult, ELICITED),
]
OF_ANSWERS = pytest.mark.parametrize(
    ("shape", "model", "example"), ANSWERS, ids=[f"{each[1].__module__}.{each[1].__name__}" for each in ANSWERS]
)


@OF_ANSWERS
def test_the_example_of_an_answer_and_whatever_is_changed_in_it(
    shape: SchemaValidator, model: type[BaseModel], example: dict[str, Any]
) -> None:
    assert places(lambda: shape.validate_python(example)) == set()
    refused = 0
    for each in (example, *variants(example)):
        found = places(lambda each=each: shape.validate_python(each))  # type: ignore[misc]
        assert found == places(lambda each=each: model.model_validate(each, by_name=False)), each  # type: ignore[misc]
        refused += bool(found)
    assert refused


@OF_ANSWERS
def test_answers_that_were_made_up(shape: SchemaValidator, model: type[BaseModel], example: dict[str, Any]) -> None:
    @many
    @given(altered([example]))
    def verdicts(value: Any) -> None:
        expected = places(lambda: model.model_validate(value, by_name=False))
        assert places(lambda: shape.validate_python(value)) == expected

    verdicts()
