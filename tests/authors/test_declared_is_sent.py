"""What a tool returns is sent as the schema that is listed says, or not at all: held against it by `jsonschema`."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from author_calls import returning
from jsonschema import Draft202012Validator
from pydantic import (
    AfterValidator,
    Base64Bytes,
    BaseModel,
    Field,
    PlainSerializer,
    PrivateAttr,
    computed_field,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)

from mcp_app import Image, ResourceLink, Text, ToolDefinitionError, errors, tool

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


class Mode(Enum):
    FAST = "fast"


class Level(IntEnum):
    LOW = 1


class Dated(BaseModel):
    at: datetime.date | Annotated[float, Field(gt=0)]


class Flags(IntFlag):
    A = 1
    B = 2


@dataclasses.dataclass
class Row:
    n: int


@dataclasses.dataclass
class Table:
    first: Row
    rows: list[Row]


@dataclasses.dataclass(slots=True)
class Made:
    n: int
    only: dataclasses.InitVar[int] = 3
    later: int = dataclasses.field(init=False, default=2)


class Found(BaseModel):
    n: int = 1
    ratio: float = 0
    pair: tuple[int, ...] = []  # type: ignore[assignment] - as people write it
    named: int = Field(1, alias="theName")
    missing: str = None  # type: ignore[assignment] - as people write it
    _seen: int = PrivateAttr(5)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def seen(self) -> int:
        return self._seen


class Shouting(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def _louder(cls, text: str) -> str:
        return text + "!"

    @model_validator(mode="after")
    def _asking(self) -> Shouting:
        self.__dict__["text"] += "?"
        return self


class Price(BaseModel):
    amount: Decimal

    @field_serializer("amount")
    def _number(self, amount: Decimal):  # type: ignore[no-untyped-def]
        return float(amount)


class Stored(BaseModel):
    at: Annotated[str, AfterValidator(lambda text: Path(text)), PlainSerializer(str)]


class Listed(BaseModel):
    n: int

    @model_serializer
    def _as_list(self):  # type: ignore[no-untyped-def]
        return [self.n]


class Lying(BaseModel):
    n: int

    @field_serializer("n")
    def _text(self, n: int) -> str:
        return n  # type: ignore[return-value]


class Animal(BaseModel):
    name: str


class Dog(Animal):
    tail: int = 1


def changed(model: Any, **values: Any) -> Any:
    for name, value in values.items():
        setattr(model, name, value)
    return model


@pytest.mark.parametrize(
    ("annotation", "value", "sent"),
    [
        (Row, Row(1), {"n": 1}),
        (Row, {"n": 1}, {"n": 1}),
        (Table, Table(Row(1), [Row(2)]), {"first": {"n": 1}, "rows": [{"n": 2}]}),
        (Made, Made(1), {"n": 1, "later": 2}),
        (Found, Found(), {"n": 1, "ratio": 0, "pair": [], "theName": 1, "missing": None, "seen": 5}),
        (Found, changed(Found(), _seen=9), {"n": 1, "ratio": 0, "pair": [], "theName": 1, "missing": None, "seen": 9}),
        (Found | None, None, None),
        (Price, Price(amount=Decimal("1.5")), {"amount": 1.5}),
        (Listed, Listed(n=1), [1]),
        (Annotated[int, PlainSerializer(lambda n: str(n))], 1, "1"),
        (Stored, Stored(at="a/b"), {"at": "a/b"}),
        (Flags, Flags.A | Flags.B, 3),
        (dict[Level, int], {Level.LOW: 1}, {"1": 1}),
        (list[dict[int, int] | dict[bool, None]], [{True: None}, {1: 5}], [{"true": None}, {"1": 5}]),
        (list[dict[int, int]] | list[dict[bool, int]], [{True: 5}], [{"true": 5}]),
        (dict[Mode, int], {Mode.FAST: 1}, {"fast": 1}),
        (Literal[Mode.FAST], Mode.FAST, "fast"),
        (Animal, Dog(name="a"), {"name": "a"}),
        (Animal | Dog, Dog(name="a"), {"name": "a", "tail": 1}),
        (tuple[int, str], (1, "a"), [1, "a"]),
    ],
)
def test_what_is_sent_fits_what_is_listed(annotation: Any, value: Any, sent: Any) -> None:
    made = returning(annotation)
    data = json.loads(made.encode_result(value).data)
    assert data == sent
    assert made.output_schema is not None
    Draft202012Validator(dict(made.output_schema)).validate(data)


@pytest.mark.parametrize(
    ("annotation", "value", "said"),
    [
        (Row, Row(None), "n: Input should be a valid integer"),  # type: ignore[arg-type]
        (Dated, Dated.model_construct(at=0.0), "at.date: Input should be a valid date"),
        (list[Any] | Dog, Dog.model_construct(name=None), "list[any]: Input should be a valid array"),
        (list[Row], [Row(1), Row("x")], "1.n: Input should be a valid integer"),  # type: ignore[arg-type]
        (Table, Table(Row(None), []), "first.n: "),  # type: ignore[arg-type]
        (Found, changed(Found(), n="zz"), "n: Input should be a valid integer"),
        (Found, changed(Found(), n="5"), "n: Input should be a valid integer"),
        (Found, changed(Found(), ratio=math.nan), "ratio: Input should be a finite number"),
        (Found, Found.model_construct(n=[]), "n: Input should be a valid integer"),
        (Found, Found().model_copy(update={"n": None}), "n: Input should be a valid integer"),
        (Price, Price.model_construct(), "amount: Field required"),
        (Lying, Lying(n=1), "n: str is declared, this is of type int"),
        (Row | Path, Row(None), "Row.n: Input should be a valid integer"),  # type: ignore[arg-type]
        (Row | Annotated[int, PlainSerializer(str)], Row(None), "Row.n: Input should be"),  # type: ignore[arg-type]
        (float, math.nan, "value: Input should be a finite number"),
        (list[float], [1.0, -math.inf], "1: Input should be a finite number"),
    ],
)
def test_what_does_not_fit_is_not_sent(annotation: Any, value: Any, said: str) -> None:
    with pytest.raises(errors.ToolFailed) as raised:
        returning(annotation).encode_result(value)
    assert raised.value.message.startswith(f"The tool function returned what it does not declare: {said}")

    def items() -> Iterator[Any]:
        yield None

    items.__annotations__ = {"return": Iterator[annotation]}
    with pytest.raises(errors.ToolFailed, match="The tool t yielded what it does not declare"):
        tool(name="t")(items).encode_item(value)


@pytest.mark.parametrize(
    ("annotation", "value", "sent"),
    [
        (Base64Bytes, b"hello", "aGVsbG8="),
        (Base64Bytes, b"aGVsbG8=", "YUdWc2JHOD0="),
        (Annotated[str, AfterValidator(lambda text: text + "!")], "a", "a"),
        (Shouting, Shouting(text="a"), {"text": "a!?"}),
        (list[Shouting], [Shouting(text="a")], [{"text": "a!?"}]),
        (Shouting, {"text": "a"}, {"text": "a!?"}),
    ],
)
def test_validators_of_what_comes_in_do_not_run_on_what_goes_out(annotation: Any, value: Any, sent: Any) -> None:
    """But once on a dict that becomes a model, as wherever one is made."""
    assert json.loads(returning(annotation).encode_result(value).data) == sent


@pytest.mark.parametrize("annotation", [Any, dict, dict[str, Text | Image | ResourceLink], object])
@pytest.mark.parametrize("content", [Text("x"), Image(PNG), ResourceLink("https://a.example/b", "b")])
def test_content_one_level_down_is_its_block(annotation: Any, content: Any) -> None:
    sent = json.loads(returning(annotation).encode_result({"a": content}).data)
    assert sent == {"a": json.loads(json.dumps(content.block()))}
    nested = json.loads(returning(Any).encode_result([[content]]).data)
    assert nested == [[sent["a"]]]


def test_what_is_yielded_is_read_when_the_tool_is_defined() -> None:
    Json = dict[str, "Json"] | str  # noqa: N806 - as a module would name it

    def items() -> Iterator[Any]:
        yield None

    items.__annotations__ = {"return": Iterator[Json]}  # type: ignore[valid-type]
    with pytest.raises(ToolDefinitionError, match=r"it yields what .*refers to Json.*TypeAliasType"):
        tool(items)
