"""Types as authors annotate with them, drawn by hypothesis, each with JSON that may fill it and Python values of it."""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Iterable
from decimal import Decimal
from enum import Enum, Flag, IntEnum, IntFlag, StrEnum
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any, Literal, NamedTuple, Union

from hypothesis import strategies as st
from pydantic import BaseModel, Field, JsonValue, create_model
from typing_extensions import TypedDict

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
INTEGERS = st.integers(-5, 5) | st.integers(-(2**53), 2**53)
FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 5).map(float)
SCALARS = st.none() | st.booleans() | INTEGERS | FLOATS | TEXT
NAMES = TEXT | st.sampled_from(
    ["1", "2", "01", " 1", "-7", "-0", "yes", "true", "false", "fast", "a", "b", "theName", "x"]
)
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=5
)


class Drawn(NamedTuple):
    """`given`: JSON that fills it, if an author's eye does not deceive. `made`: Python values that are of the type, or
    only look like it. `exact`: it takes no more than JSON Schema can say (a date may be written in several ways)."""

    annotation: Any
    given: st.SearchStrategy[Any]
    made: st.SearchStrategy[Any]
    exact: bool = True


class Mode(Enum):
    FAST = "fast"
    SLOW = 2


class Word(StrEnum):
    A = "a"


class Grade(IntEnum):
    ONE = 1
    TWO = 2


class Right(Flag):
    READ = 1
    WRITE = 2


class Bits(IntFlag):
    LOW = 1
    HIGH = 8


class Odd(Enum):
    PAIR = (1, 2)
    DAY = datetime.date(2020, 1, 2)


class Tree(BaseModel):
    name: str
    inner: list[Tree] = []


class Movie(TypedDict, total=False):
    year: int
    tags: list[str]


class Pair(NamedTuple):
    a: int
    b: str


@dataclasses.dataclass
class Row:
    n: int
    ratio: float = 0


TREES = st.deferred(
    lambda: st.builds(lambda name, inner: {"name": name, "inner": inner}, TEXT, st.lists(TREES, max_size=1))
)
ROWS = st.builds(Row, INTEGERS | st.none() | TEXT, FLOATS | st.floats())
DATES = st.dates()

LEAVES = [
    Drawn(int, INTEGERS | FLOATS, INTEGERS),
    Drawn(float, FLOATS | INTEGERS, st.floats()),
    Drawn(bool, st.booleans(), st.booleans()),
    Drawn(str, TEXT, TEXT),
    Drawn(type(None), st.none(), st.none()),
    Drawn(JsonValue, ANY_JSON, ANY_JSON),
    Drawn(Any, ANY_JSON, ANY_JSON),
    Drawn(Annotated[int, Field(ge=0, lt=4)], INTEGERS, INTEGERS),
    Drawn(Annotated[float, Field(gt=0)], FLOATS, st.floats()),
    Drawn(Annotated[str, Field(min_length=1, max_length=2)], TEXT, TEXT),
    Drawn(Literal["a", 1, None], st.sampled_from(["a", 1, None, 1.0]), st.sampled_from(["a", 1, None])),
    Drawn(Literal[Mode.FAST, "x"], st.sampled_from(["fast", "x"]), st.sampled_from([Mode.FAST, "x"])),
    Drawn(Mode, st.sampled_from(["fast", 2]), st.sampled_from(Mode)),
    Drawn(Word, st.just("a"), st.sampled_from(Word)),
    Drawn(Grade, st.sampled_from([1, 2]), st.sampled_from(Grade)),
    Drawn(Right, st.integers(0, 3), st.sampled_from([*Right, Right.READ | Right.WRITE]), exact=False),
    Drawn(Bits, INTEGERS, st.sampled_from([*Bits, Bits.LOW | Bits.HIGH, Bits(2)])),
    Drawn(Odd, st.sampled_from([[1, 2], "2020-01-02"]), st.sampled_from(Odd)),
    Drawn(Tree, TREES, TREES.map(Tree.model_validate) | st.just(Tree.model_construct(name=None))),
    Drawn(Row, st.fixed_dictionaries({"n": INTEGERS}, optional={"ratio": FLOATS}), ROWS),
    Drawn(
        Movie, st.fixed_dictionaries({}, optional={"year": INTEGERS, "tags": st.lists(TEXT, max_size=2)}), st.just({})
    ),
    Drawn(Pair, st.tuples(INTEGERS, TEXT).map(list), st.builds(Pair, INTEGERS, TEXT), exact=False),
    Drawn(datetime.date, DATES.map(str), DATES, exact=False),
    Drawn(uuid.UUID, st.uuids().map(str), st.uuids(), exact=False),
    Drawn(Decimal, INTEGERS, st.decimals(allow_nan=False, allow_infinity=False), exact=False),
    Drawn(Path, TEXT, TEXT.map(lambda text: Path(text.replace("\0", ""))), exact=False),
]

KEYS: list[tuple[Any, list[Any], list[str]]] = [
    (str, ["a", "b"], ["a", "b"]),
    (int, [1, -7], ["1", "-7"]),
    (Literal["a", "b"], ["a", "b"], ["a", "b"]),
    (Literal[1, 2], [1, 2], ["1", "2"]),
    (Grade, list(Grade), ["1", "2"]),
    (Mode, list(Mode), ["fast", "2"]),
    (bool, [True, False], ["true", "false"]),
    (float, [1.5, -1e22], ["1.5", "-1e22"]),
    (int | None, [1, None], ["1", "-7"]),
    (int | Literal["a"], [1, "a"], ["1", "a"]),
    (Right, [Right.READ, Right.READ | Right.WRITE], ["0", "3"]),
    (Bits, [Bits.LOW, Bits.LOW | Bits.HIGH], ["1", "9"]),
]
"""Types of the names of a dict, their Python values, and how JSON writes them."""


def _lists(inner: Drawn) -> Drawn:
    lists = GenericAlias(list, (inner.annotation,))
    return Drawn(lists, st.lists(inner.given, max_size=3), st.lists(inner.made, max_size=3), inner.exact)


def _iterables(inner: Drawn) -> Drawn:
    drawn = _lists(inner)
    return drawn._replace(annotation=Iterable[inner.annotation])  # type: ignore[name-defined]


def _dicts(drawn: tuple[Drawn, tuple[Any, list[Any], list[str]]]) -> Drawn:
    inner, (kind, keys, names) = drawn
    return Drawn(
        GenericAlias(dict, (kind, inner.annotation)),
        st.dictionaries(st.sampled_from(names), inner.given, max_size=2),
        st.dictionaries(st.sampled_from(keys), inner.made, max_size=2),
        inner.exact,
    )


def _tuples(inner: list[Drawn]) -> Drawn:
    return Drawn(
        GenericAlias(tuple, tuple(each.annotation for each in inner)),
        st.tuples(*(each.given for each in inner)).map(list),
        st.tuples(*(each.made for each in inner)),
        all(each.exact for each in inner),
    )


def _unions(inner: list[Drawn]) -> Drawn:
    return Drawn(
        Union[tuple(each.annotation for each in inner)],  # noqa: UP007 - built from a list
        st.one_of([each.given for each in inner]),
        st.one_of([each.made for each in inner]),
        all(each.exact for each in inner),
    )


def _models(drawn: tuple[list[Drawn], Literal["ignore", "forbid"]]) -> Drawn:
    inner, extra = drawn
    names = [f"f{at}" for at in range(len(inner))]
    fields: dict[str, Any] = {
        name: (each.annotation, Field(alias=f"a{at}") if at else ...)
        for at, (name, each) in enumerate(zip(names, inner, strict=True))
    }
    model = create_model("Model", __config__={"extra": extra, "populate_by_name": False}, **fields)
    given = {f"a{at}" if at else name: each.given for at, (name, each) in enumerate(zip(names, inner, strict=True))}
    made = {name: each.made for name, each in zip(names, inner, strict=True)}
    return Drawn(
        model,
        st.fixed_dictionaries(given),
        st.fixed_dictionaries(made).map(lambda values: model.model_construct(**values)),
        all(each.exact for each in inner),
    )


def _of(inner: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        inner.map(_lists),
        inner.map(_iterables),
        st.tuples(inner, st.sampled_from(KEYS)).map(_dicts),
        several.map(_tuples),
        several.filter(lambda drawn: len(drawn) > 1).map(_unions),
        st.tuples(several, st.sampled_from(["ignore", "forbid"])).map(_models),
    )


TYPES: st.SearchStrategy[Drawn] = st.recursive(st.sampled_from(LEAVES), _of, max_leaves=4)
