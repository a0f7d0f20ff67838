"""What may be returned besides plain values: the blocks on MCP's wire, and what is refused in the author's line."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pytest
from author_calls import PNG, WAV, valid
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from mcp_app.authoring.content import Annotations, Audio, Content, EmbeddedResource, File, Image, ResourceLink, Text
from mcp_app.authoring.content_blocks import content_blocks, declares_content
from mcp_app.authoring.content_data import MAX_DATA_BYTES, ContentError
from mcp_app.authoring.prompt import Message
from mcp_app.protocol.http import media_type

PNG64, WAV64 = base64.b64encode(PNG).decode(), base64.b64encode(WAV).decode()

EMBEDDED = EmbeddedResource(
    uri="test://embedded-resource", mime_type="text/plain", text="This is an embedded resource content."
)
MIXED = [
    "Multiple content types test:",
    Image(PNG),
    EmbeddedResource(
        uri="test://mixed-content-resource", mime_type="application/json", text='{"test":"data","value":123}'
    ),
]

# --- the blocks ------------------------------------------------------------------------------------------------------

BLOCKS: list[tuple[Any, list[dict[str, Any]]]] = [
    (
        Text("This is a simple text response for testing."),
        [{"type": "text", "text": "This is a simple text response for testing."}],
    ),
    (Image(PNG), [{"type": "image", "data": PNG64, "mimeType": "image/png"}]),
    (Audio(WAV), [{"type": "audio", "data": WAV64, "mimeType": "audio/wav"}]),
    (
        EMBEDDED,
        [
            {
                "type": "resource",
                "resource": {
                    "uri": "test://embedded-resource",
                    "mimeType": "text/plain",
                    "text": "This is an embedded resource content.",
                },
            }
        ],
    ),
    (
        MIXED,
        [
            {"type": "text", "text": "Multiple content types test:"},
            {"type": "image", "data": PNG64, "mimeType": "image/png"},
            {
                "type": "resource",
                "resource": {
                    "uri": "test://mixed-content-resource",
                    "mimeType": "application/json",
                    "text": '{"test":"data","value":123}',
                },
            },
        ],
    ),
    (
        (EmbeddedResource(uri="test://b", blob=b"\x00"), "and"),
        [
            {
                "type": "resource",
                "resource": {"uri": "test://b", "mimeType": "application/octet-stream", "blob": "AA=="},
            },
            {"type": "text", "text": "and"},
        ],
    ),
    (
        ResourceLink("file:///project/src/main.rs", "main.rs", description="Primary", mime_type="text/x-rust", size=3),
        [
            {
                "type": "resource_link",
                "uri": "file:///project/src/main.rs",
                "name": "main.rs",
                "description": "Primary",
                "mimeType": "text/x-rust",
                "size": 3,
            }
        ],
    ),
]


@pytest.mark.parametrize(("value", "blocks"), BLOCKS, ids=lambda each: type(each).__name__)
def test_blocks(value: Any, blocks: list[dict[str, Any]]) -> None:
    assert content_blocks(value) == blocks
    valid("tools/call", {"content": blocks})


@pytest.mark.parametrize(
    "value", [None, "text", "", 1, {}, {"image": Image(PNG)}, [], ["a", "b"], ("a",), [1], b"", [[Text("a")]]]
)
def test_ordinary_values_are_left_to_the_caller(value: Any) -> None:
    assert content_blocks(value) is None


@pytest.mark.parametrize("beside", [1, None, {"a": 1}, b"bytes", ["nested"], Message("user", "hello")])
def test_content_stands_only_beside_text_and_content(beside: Any) -> None:
    with pytest.raises(ContentError, match=f"item 1 of the list is of type {type(beside).__name__}"):
        content_blocks([Image(PNG), beside])


def test_annotations() -> None:
    noted = Annotations(audience=["user"], priority=0.9, last_modified=datetime(2025, 1, 12, 15, 0, 58, tzinfo=UTC))
    wire = {"audience": ["user"], "priority": 0.9, "lastModified": "2025-01-12T15:00:58Z"}
    every: list[Content] = [
        Text("a", noted),
        Image(PNG, annotations=noted),
        Audio(WAV, annotations=noted),
        EmbeddedResource(uri="a:b", text="", annotations=noted),
        File(b"", name="a", annotations=noted),
        ResourceLink("a:b", "c", annotations=noted),
    ]
    blocks = content_blocks(every)
    assert blocks is not None
    assert [block["annotations"] for block in blocks] == [wire] * len(every)
    valid("tools/call", {"content": blocks})
    assert Annotations(priority=0).wire() == {"priority": 0}


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"audience": ["model"]}, "audience"),
        ({"audience": "user"}, "audience"),
        ({"priority": 1.1}, "priority"),
        ({"priority": float("nan")}, "priority"),
        ({"last_modified": datetime(2025, 1, 1)}, "time zone"),
    ],
)
def test_annotations_that_mean_nothing(wrong: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Annotations(**wrong)


def test_content_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Image(PNG).data = b""  # type: ignore[misc]
    assert Image(PNG) == Image(bytearray(PNG)) != Image(PNG, annotations=Annotations(priority=1))
    assert repr(Image(PNG)) == "Image(mime_type='image/png', annotations=None)"


# --- files -----------------------------------------------------------------------------------------------------------


def test_files(tmp_path: Path) -> None:
    (tmp_path / "a b.MD").write_text("# é")
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "latin.txt").write_bytes(b"\xe9")
    (tmp_path / "empty.json").touch()
    blocks = content_blocks([File(each) for each in sorted(tmp_path.iterdir())])
    assert blocks is not None
    assert [block["resource"] for block in blocks] == [
        {"uri": "file:///a%20b.MD", "mimeType": "text/markdown", "text": "# é"},
        {"uri": "file:///a.png", "mimeType": "image/png", "blob": PNG64},
        {"uri": "file:///empty.json", "mimeType": "application/json", "text": ""},
        {"uri": "file:///latin.txt", "mimeType": "text/plain", "blob": "6Q=="},
    ]
    assert str(tmp_path) not in str(blocks)
    valid("tools/call", {"content": blocks})


def test_a_file_of_bytes() -> None:
    assert File(b"{}", name="x.json").resource() == {
        "uri": "file:///x.json",
        "mimeType": "application/json",
        "text": "{}",
    }
    assert File(b"a", uri="x:y", mime_type="text/css").resource() == {"uri": "x:y", "mimeType": "text/css", "text": "a"}
    assert File(b"PK\x03\x04", name="a.zip").mime_type == "application/zip"
    assert File(b"ID3,name\n", name="a.csv").mime_type == "text/csv"  # as an mp3 begins
    with pytest.raises(ContentError, match="needs its name"):
        File(b"a")


def test_pictures_and_sound_of_files(tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(PNG)
    (tmp_path / "a.svg").write_text("<svg/>")
    (tmp_path / "a.wav").write_bytes(WAV)
    assert Image(tmp_path / "picture").block() == Image(PNG).block()
    assert Image(tmp_path / "a.svg").mime_type == "image/svg+xml"
    assert Audio(tmp_path / "a.wav").data == WAV


def refused_files(folder: Path) -> list[tuple[Callable[[], Any], type[Exception], str]]:
    (folder / "large.png").write_bytes(PNG + bytes(MAX_DATA_BYTES))
    (folder / "text.png").write_text("hello")
    (folder / "empty.png").touch()
    (folder / "a.txt").write_text("hello")
    os.mkfifo(folder / "pipe.png")
    return [
        (lambda: Image(folder / "none.png"), FileNotFoundError, "none.png"),
        (lambda: Image(folder), IsADirectoryError, "Is a directory"),
        (lambda: Image(folder / "pipe.png"), ContentError, "not a regular file"),
        (lambda: Image(folder / "large.png"), ContentError, f"more than the {MAX_DATA_BYTES} bytes"),
        (lambda: Image(folder / "empty.png"), ContentError, "no bytes"),
        (lambda: Image(folder / "a.txt"), ContentError, "this is no image that is known here, but text/plain"),
        (lambda: Image(b"hello"), ContentError, "if it is one, say so with mime_type"),
        (lambda: Image(b""), ContentError, "no bytes"),
        (lambda: Image(WAV), ContentError, "but audio/wav"),
        (lambda: Audio(PNG), ContentError, "but image/png"),
        (lambda: Image(PNG, "image/jpeg"), ContentError, "this is image/png, not image/jpeg"),
        (lambda: Image(PNG, "text/plain"), ContentError, "but text/plain"),
        (lambda: Image(PNG, "image"), ContentError, "no media type"),
        (lambda: Image(PNG, "image/png\r\nX: y"), ContentError, "no media type"),
        (lambda: Image(PNG64), ContentError, "a str is neither bytes nor a path"),  # type: ignore[arg-type]
        (lambda: Image(17), ContentError, "int is neither bytes nor a path"),  # type: ignore[arg-type]
        (lambda: File(bytes(MAX_DATA_BYTES + 1), name="a"), ContentError, "ResourceLink"),
        (lambda: EmbeddedResource(uri="a:b"), ContentError, "either text or blob"),
        (lambda: EmbeddedResource(uri="a:b", text="", blob=b""), ContentError, "either text or blob"),
        (lambda: EmbeddedResource(uri="ab", text=""), ContentError, "no URI"),
        (lambda: EmbeddedResource(uri="a:é", text=""), ContentError, "no URI"),
        (lambda: EmbeddedResource(uri="a:b", text=b""), ContentError, "not str"),  # type: ignore[arg-type]
        (lambda: ResourceLink("a b:c", "name"), ContentError, "no URI"),
        (lambda: ResourceLink("a:b", "name", size=-1), ContentError, "-1 bytes"),
        (lambda: Text(1), ContentError, "int, not str"),  # type: ignore[arg-type]
    ]


def test_what_is_refused(tmp_path: Path) -> None:
    for make, kind, problem in refused_files(tmp_path):
        with pytest.raises(kind, match=problem):
            make()


def test_the_largest_data_can_be_kept_beside_its_event() -> None:
    from mcp_app.protocol.event import Shape, encode
    from mcp_app.protocol.linked import split

    image = Image(PNG + bytes(MAX_DATA_BYTES - len(PNG)))
    found = split(encode(content_blocks(image)), Shape.CONTENT, 64 * 1024)
    assert found is not None
    assert [(len(each.data), each.mime_type) for each in found.kept.values()] == [(MAX_DATA_BYTES, "image/png")]


# --- media types -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\0\0\0\0AVI LIST", None),
        (b"XXXX\0\0\0\0WAVE", None),
        (b"\0\0\0\x1cftypavif", "image/avif"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"OggS", "audio/ogg"),
        (b"fLaC", "audio/flac"),
        (b"%PDF-1.7", "application/pdf"),
        (b"", None),
        (b"\xff", None),
        (b"hello", None),
    ],
)
def test_types_by_content(data: bytes, expected: str | None) -> None:
    assert media_type.by_content(data) == expected


@given(st.binary(max_size=32))
def test_any_bytes_have_a_type_or_none(data: bytes) -> None:
    found = media_type.by_content(data)
    assert found is None or media_type.is_valid(found)


@pytest.mark.parametrize("declared", ["image/jpg", "image/jpeg; q=1", "IMAGE/JPEG"])
def test_other_names_of_the_same_type_are_no_contradiction(declared: str) -> None:
    assert not media_type.contradicts(declared, "image/jpeg")
    assert media_type.contradicts(declared, "image/png")


# --- as annotations of tools -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "declared"),
    [
        (Image, True),
        (Content, True),
        (Image | None, True),
        (list[str | Image], True),
        (tuple[Text, ...], True),
        (Annotated[File, "note"], True),
        (str, False),
        (list[str], False),
        (Any, False),
        (None, False),
        ("Image", False),
    ],
)
def test_annotations_that_declare_content(annotation: Any, declared: bool) -> None:
    assert declares_content(annotation) is declared


def test_a_type_that_pydantic_validates_by_class() -> None:
    adapter = TypeAdapter(list[Image | Text])
    assert adapter.dump_python(adapter.validate_python([Image(PNG)]), mode="json") == [Image(PNG).block()]
    with pytest.raises(ValidationError, match="instance of Image"):
        adapter.validate_python(["text"])
