"""RFC 9110 12.5.1: what an Accept header says, and what the plain dialect makes of it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.protocol.http.accept import MAX_RANGES, MediaRange, Quality, Representation, choose, parse, quality

STREAM, JSON, NEITHER = Representation.EVENT_STREAM, Representation.JSON, None

# --- the standard's examples -----------------------------------------------------------------------------------------


RFC_9110_TABLE_5 = "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, text/plain;format=fixed;q=0.4, */*;q=0.5"
RFC_7231_5_3_2 = "text/*;q=0.3, text/html;q=0.7, text/html;level=1, text/html;level=2;q=0.4, */*;q=0.5"


@pytest.mark.parametrize(
    ("accept", "media_type", "q"),
    [
        (RFC_9110_TABLE_5, "text/plain;format=flowed", 1),
        (RFC_9110_TABLE_5, "text/plain", 0.7),
        (RFC_9110_TABLE_5, "text/html", 0.3),
        (RFC_9110_TABLE_5, "image/jpeg", 0.5),
        (RFC_9110_TABLE_5, "text/plain;format=fixed", 0.4),
        (RFC_7231_5_3_2, "text/html;level=1", 1),
        (RFC_7231_5_3_2, "text/html", 0.7),
        (RFC_7231_5_3_2, "text/plain", 0.3),
        (RFC_7231_5_3_2, "image/jpeg", 0.5),
        (RFC_7231_5_3_2, "text/html;level=2", 0.4),
        (RFC_7231_5_3_2, "text/html;level=3", 0.7),
    ],
)
def test_the_tables_of_the_standard_and_its_predecessor(accept: str, media_type: str, q: float) -> None:
    assert quality(accept, media_type).q == q


def test_rfc_9110_audio() -> None:
    # "I prefer audio/basic, but send me any audio type if it is the best available after an 80% markdown in quality"
    accept = "audio/*; q=0.2, audio/basic"
    assert quality(accept, "audio/basic") == Quality(1, 3)
    assert quality(accept, "audio/ogg") == Quality(0.2, 2)
    assert quality(accept, "text/plain") == Quality(0, 0)


def test_rfc_9110_elaborate() -> None:
    accept = "text/plain; q=0.5, text/html,\ttext/x-dvi; q=0.8, text/x-c"
    assert [quality(accept, f"text/{name}").q for name in ("html", "x-c", "x-dvi", "plain")] == [1, 1, 0.8, 0.5]


def test_rfc_9110_most_specific_reference_has_precedence() -> None:
    accept = "text/*, text/plain, text/plain;format=flowed, */*"
    types = ["text/plain;format=flowed", "text/plain", "text/css", "image/png"]
    assert [quality(accept, each).specificity for each in types] == [4, 3, 2, 1]


def test_rfc_9110_q_is_the_weight_wherever_it_stands() -> None:
    assert parse("text/html;q=0.4;level=1") == parse("text/html;level=1;q=0.4")


def test_no_header_accepts_anything() -> None:
    assert quality(None, "text/plain") == Quality(1, 1)


# --- the plain dialect's choice --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        # The highest q wins.
        ("text/event-stream;q=0.5, application/json", JSON),
        ("text/event-stream, application/json;q=0.5", STREAM),
        ("application/json;q=0.2, */*;q=0.9", STREAM),
        ("text/event-stream;q=0.001, application/*;q=0.002", JSON),
        # At equal q the more specific range.
        ("application/json, */*", JSON),
        ("application/json, text/*", JSON),
        ("application/*, */*", JSON),
        ("text/*, */*", STREAM),
        ("text/event-stream, */*", STREAM),
        ("text/event-stream, application/*", STREAM),
        ("application/json;q=0.5, */*;q=0.5", JSON),
        # Both named exactly, both only by wildcard, or no header: the stream.
        ("application/json, text/event-stream", STREAM),
        ("text/event-stream;q=0.3, application/json;q=0.3", STREAM),
        ("application/*, text/*", STREAM),
        ("*/*", STREAM),
        ("*/*;q=0.1", STREAM),
        (None, STREAM),
        ("", STREAM),
        (" , ,, ", STREAM),
        # One alone.
        ("application/json", JSON),
        ("text/event-stream", STREAM),
        ("text/html, application/json;q=0.1", JSON),
        # q=0 means never.
        ("text/event-stream;q=0, */*", JSON),
        ("application/json;q=0.000, */*", STREAM),
        ("text/*;q=0, */*;q=0.1", JSON),
        ("text/event-stream;q=0, application/json;q=0", NEITHER),
        ("*/*;q=0", NEITHER),
        ("*/*;q=0, application/json;q=0.1", JSON),
        ("application/json, application/json;q=0", NEITHER),
        ("application/json;q=0, application/json", NEITHER),
        # Neither.
        ("text/html", NEITHER),
        ("text/plain, image/*", NEITHER),
        ("application/xml;q=0.9", NEITHER),
        # Letter case, whitespace, quoted strings, parameters.
        ("APPLICATION/JSON", JSON),
        ("Text/Event-Stream; Q=0.5 , Application/Json;Q=0.6", JSON),
        ("application/json;charset=utf-8", JSON),
        ('application/json; charset="UTF-8", text/event-stream', STREAM),
        ("application/json;profile=x", NEITHER),
        ('text/html;a="x, application/json", image/png', NEITHER),
        ('text/html;a="\\", application/json", image/png', NEITHER),
        ('application/json;q="0.5", text/event-stream;q=0.4', JSON),
        ("application/json;;q=0.5;", JSON),
        # What is malformed is not there.
        ("application/json;q=2, text/event-stream", STREAM),
        ("application/json;q=high, text/event-stream;q=0.1", STREAM),
        ("application/json;q=-1, text/event-stream;q=0.1", STREAM),
        ("application/json;q=, text/event-stream;q=0.1", STREAM),
        ("application/json;q=0;q=1, text/event-stream;q=0.1", STREAM),
        ("*/json, application/json", JSON),
        ("application / json, text/event-stream", STREAM),
        ("application, text/event-stream", STREAM),
        ("garbage", STREAM),  # nothing that can be read: as if it were not there
        ('application/json;a="', STREAM),
        ("application/json, \0\x7fö", JSON),
        ("\N{KELVIN SIGN}/\N{KELVIN SIGN}, application/json", JSON),
    ],
)
def test_choose(accept: str | None, expected: Representation | None) -> None:
    assert choose(accept) is expected


# Who sends what, as measured or as reported in the issue trackers of the servers they called.
CLIENTS = {
    "MCP SDKs (Python, TypeScript) and what is built on them": ("application/json, text/event-stream", STREAM),
    "curl, requests, httpx, aiohttp, wget, Node's fetch": ("*/*", STREAM),
    "urllib, http.client": (None, STREAM),
    "a browser's EventSource": ("text/event-stream", STREAM),
    "Claude.ai's connector, ElevenLabs, the old Java MCP SDK": ("text/event-stream", STREAM),
    "Claude Code, some versions; Gemini CLI; OpenAI's mcp tool": ("application/json", JSON),
    "Google Antigravity": ("application/json, application/mcp+json", JSON),
    "axios": ("application/json, text/plain, */*", JSON),
    "jQuery with dataType json": ("application/json, text/javascript, */*; q=0.01", JSON),
    "Chrome's address bar": (
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8,application/x-y;v=b3;q=0.7",
        STREAM,
    ),
    "java.net.HttpURLConnection": ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", STREAM),
    "a float printed as it is": ("application/json;q=0.8999999761581421, text/event-stream;q=0.8", JSON),
}


@pytest.mark.parametrize(("accept", "expected"), CLIENTS.values(), ids=CLIENTS)
def test_real_clients(accept: str | None, expected: Representation) -> None:
    assert choose(accept) is expected


# --- the parts -------------------------------------------------------------------------------------------------------


def test_parse() -> None:
    assert parse('Text/HTML; Level="a\\"B" ;q=0.25,, */*;q=0, x/y;charset=UTF-8') == (
        MediaRange("text", "html", frozenset({("level", 'a"b')}), 0.25),
        MediaRange("*", "*", q=0),
        MediaRange("x", "y"),
    )


@pytest.mark.parametrize("media_type", ["", "json", "*/*", "text/*", "a/b, c/d", "a/b;q=2"])
def test_quality_of_what_is_not_a_media_type(media_type: str) -> None:
    with pytest.raises(ValueError, match="is not a media type"):
        quality("*/*", media_type)


def test_only_so_many_ranges_are_read() -> None:
    assert len(parse("a/b," * 10_000)) == MAX_RANGES
    assert choose("a/b," * (MAX_RANGES - 1) + "application/json") is JSON
    assert choose("a/b," * MAX_RANGES + "application/json") is NEITHER


def test_a_megabyte_of_quotes_is_read_in_one_pass() -> None:
    # Quadratic work here would be 10**12 steps and run into the time bound of every test.
    for hostile in (
        '"' * 1_000_001,
        '"' + '\\"' * 500_000,
        'a/b;c="' + '\\"' * 500_000,
        "a/b;" * 250_000,
        "," * 1_000_000,
    ):
        choose(hostile)


# --- properties ------------------------------------------------------------------------------------------------------

WEIGHTS = st.none() | st.integers(0, 1000).map(lambda thousandths: f"{thousandths / 1000:.3f}")
RANGES = st.sampled_from(
    ["*/*", "text/*", "application/*", "text/event-stream", "application/json", "text/html", "application/json;x=1"]
)
ELEMENTS = st.tuples(RANGES, WEIGHTS).map(lambda pair: pair[0] if pair[1] is None else f"{pair[0]};q={pair[1]}")
HEADERS = st.lists(ELEMENTS, min_size=1, max_size=6)


@given(accept=st.text(st.one_of(st.characters(), st.sampled_from(',;="\\*/q01. ')), max_size=80))
def test_never_raises(accept: str) -> None:
    choose(accept)
    for media_range in parse(accept):
        assert 0 <= media_range.q <= 1


@given(elements=HEADERS, seed=st.integers(0, 10_000))
def test_the_order_of_elements_changes_nothing(elements: list[str], seed: int) -> None:
    shuffled = random.Random(seed).sample(elements, len(elements))
    assert choose(", ".join(shuffled)) is choose(", ".join(elements))


@given(elements=HEADERS, refused=st.sampled_from(list(Representation)))
def test_what_has_q_0_is_never_chosen(elements: list[str], refused: Representation) -> None:
    assert choose(", ".join([*elements, f"{refused.value};q=0"])) is not refused


@given(elements=HEADERS)
def test_406_exactly_when_neither_has_a_weight(elements: list[str]) -> None:
    accept = ", ".join(elements)
    weights = [quality(accept, each.value).q for each in Representation]
    assert (choose(accept) is None) == (max(weights) == 0)


@given(elements=HEADERS)
def test_the_choice_never_has_the_lower_weight(elements: list[str]) -> None:
    accept = ", ".join(elements)
    chosen = choose(accept)
    if chosen is not None:
        assert quality(accept, chosen.value) == max(quality(accept, each.value) for each in Representation)


@given(elements=HEADERS, spaces=st.sampled_from(["", " ", "\t", " ,, "]), upper=st.booleans())
def test_letter_case_whitespace_and_empty_elements_change_nothing(
    elements: list[str], spaces: str, upper: bool
) -> None:
    accept = ",".join(f"{spaces}{each}{spaces}" for each in elements)
    assert choose(accept.upper() if upper else accept) is choose(",".join(elements))
