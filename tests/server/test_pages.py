"""What processes say of themselves in a file that they share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from mcp_app.server.engine.pages import MAX_BYTES, OwnPage, SharedPages


@pytest.fixture
def pages() -> Iterator[SharedPages]:
    made = SharedPages.create(3)
    yield made
    os.close(made.descriptor)


def test_each_reads_what_the_others_have_written_last(pages: SharedPages) -> None:
    one, three = OwnPage(pages, 1), OwnPage(pages, 3)
    assert one.others() == {}
    one.write(b"I am one, and have much to say")
    three.write(b"three")
    one.write(b"one")
    assert one.others() == {3: b"three"}
    assert three.others() == {1: b"one"}
    assert OwnPage(pages, 2).others() == {1: b"one", 3: b"three"}


def test_one_that_is_gone_says_nothing(pages: SharedPages) -> None:
    OwnPage(pages, 1).write(b"one")
    pages.clear(1)
    assert OwnPage(pages, 2).others() == {}


def test_one_that_is_replaced_says_no_more(pages: SharedPages) -> None:
    old, new = OwnPage(pages, 1), OwnPage(pages, 1)
    old.write(b"old")
    old.leave()
    new.write(b"new")
    old.write(b"old")
    assert OwnPage(pages, 2).others() == {1: b"new"}


def test_a_page_that_is_being_written_is_as_none(pages: SharedPages) -> None:
    OwnPage(pages, 1).write(b"a" * 1000)
    os.pwrite(pages.descriptor, b"b", 500)
    assert OwnPage(pages, 2).others() == {}


def test_one_that_is_too_large_is_refused(pages: SharedPages) -> None:
    with pytest.raises(ValueError, match=f"a page of {MAX_BYTES} bytes"):
        OwnPage(pages, 1).write(bytes(MAX_BYTES))
    OwnPage(pages, 3).write(bytes(MAX_BYTES - 8))
    assert len(OwnPage(pages, 1).others()[3]) == MAX_BYTES - 8
