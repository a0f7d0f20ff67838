"""Content in revisions that do not have its kind: said in the kinds that they have."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_app import Audio, EmbeddedResource, Image, ResourceLink, Text
from mcp_app.authoring.content import Annotations
from mcp_app.protocol.mcp.content import downgrade
from mcp_app.protocol.mcp.revisions import negotiated

SOUND = Audio(b"abc", "audio/wav", annotations=Annotations(priority=1)).block()
LINK = ResourceLink(uri="test://x", name="x", title="The X", description="All of it").block()
OTHERS = [
    Text("a").block(),
    Image(b"x", "image/png").block(),
    EmbeddedResource(uri="test://e", text="e").block(),
]
SOUND_INSTEAD = {
    "type": "resource",
    "resource": {"uri": "audio:embedded", "mimeType": "audio/wav", "blob": "YWJj"},
    "annotations": SOUND["annotations"],
}
LINK_INSTEAD = {"type": "text", "text": "The X: test://x\nAll of it"}


@pytest.mark.parametrize(
    ("version", "sound", "link"),
    [
        ("2025-11-25", SOUND, LINK),
        ("2025-06-18", SOUND, LINK),
        ("2025-03-26", SOUND, LINK_INSTEAD),
        ("2024-11-05", SOUND_INSTEAD, LINK_INSTEAD),
    ],
)
def test_nothing_is_lost(version: str, sound: dict[str, Any], link: dict[str, Any]) -> None:
    lacking = negotiated(version).wire.unsupported_content
    blocks = [SOUND, LINK, *OTHERS]
    assert downgrade({"content": blocks, "isError": False}, lacking) == {
        "content": [sound, link, *OTHERS],
        "isError": False,
    }
    messages = [{"role": "user", "content": block} for block in blocks]
    said = downgrade({"messages": messages}, lacking)["messages"]
    assert [each["content"] for each in said] == [sound, link, *OTHERS]


def test_what_has_no_blocks_is_left_alone() -> None:
    contents = {"contents": [{"uri": "test://x", "text": "audio"}]}
    assert downgrade(contents, {"audio", "resource_link"}) == contents


def test_a_link_has_at_least_its_name() -> None:
    block = ResourceLink(uri="test://x", name="x").block()
    assert downgrade({"content": [block]}, {"resource_link"})["content"] == [{"type": "text", "text": "x: test://x"}]
