"""Pages: everything once, in order; cursors that survive changes of the list, and are no other list's."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.protocol.mcp.pagination import InvalidCursor, ListPage, paginate


def page(items: list[str], size: int, cursor: str | None = None, of: str = "tools") -> ListPage[str]:
    return paginate(items, lambda item: item, lambda item: 1, of=of, limit=size, cursor=cursor)


unique = st.lists(st.text(max_size=8), unique=True, max_size=40)


@given(unique, st.integers(1, 12))
def test_the_pages_are_the_list(items: list[str], size: int) -> None:
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(len(items) // size + 1):
        got = page(items, size, cursor)
        assert len(got.items) <= size
        seen += got.items
        cursor = got.next_cursor
        if cursor is None:
            break
    assert seen == items
    assert cursor is None


@given(st.lists(st.integers(1, 60)), st.integers(1, 50))
def test_a_page_has_as_many_as_fit_and_one_at_least(sizes: list[int], limit: int) -> None:
    items = list(enumerate(sizes))
    pages: list[tuple[tuple[int, int], ...]] = []
    cursor: str | None = None
    while True:
        got = paginate(items, str, lambda item: item[1], of="tools", limit=limit, cursor=cursor)
        pages.append(got.items)
        if (cursor := got.next_cursor) is None:
            break
    assert [item for each in pages for item in each] == items
    assert all(sum(size for _, size in each) <= limit or len(each) == 1 for each in pages)
    for each, after in itertools.pairwise(pages):
        assert sum(size for _, size in (*each, after[0])) > limit, "the next one would have fitted"


@given(unique.filter(lambda items: len(items) > 3), st.data())
def test_what_comes_and_goes_before_the_cursor_repeats_and_skips_nothing(items: list[str], data: st.DataObject) -> None:
    cut = data.draw(st.integers(2, len(items) - 1))
    first = page(items, cut)
    assert first.next_cursor is not None
    gone = data.draw(st.sets(st.sampled_from(items[: cut - 1])))
    new = data.draw(st.lists(st.text(min_size=9, max_size=12), unique=True, max_size=5))  # longer than the others
    changed = [*new, *(item for item in items if item not in gone)]
    assert list(page(changed, len(items) + 5, first.next_cursor).items) == items[cut:]


def test_the_item_of_the_cursor_is_gone() -> None:
    first = page(["a", "b", "c", "d"], 2)
    assert page(["a", "c", "d"], 2, first.next_cursor).items == ("c", "d")
    assert page(["a"], 2, first.next_cursor) == ListPage((), None)
    assert page([], 2, first.next_cursor) == ListPage((), None)


def test_a_list_gives_the_same_cursors_everywhere() -> None:
    assert page(["a", "b"], 1).next_cursor == page(["a", "c"], 1).next_cursor
    assert page(["a", "b"], 1).next_cursor != page(["a", "b"], 1, of="prompts").next_cursor


@given(st.text())
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        page(["a", "b"], 1, text)


def test_every_changed_character_of_a_cursor_is_seen() -> None:
    cursor = page(["a", "b"], 1).next_cursor
    assert cursor is not None
    for index in range(len(cursor)):
        for other in "AB-_z9=~é ":
            if other != cursor[index]:
                with pytest.raises(InvalidCursor):
                    page(["a", "b"], 1, cursor[:index] + other + cursor[index + 1 :])


@pytest.mark.parametrize("also", ["=", "==", "\n", " "])
def test_a_cursor_is_written_in_one_way(also: str) -> None:
    cursor = page(["a", "b"], 1).next_cursor
    with pytest.raises(InvalidCursor, match="not one of this list"):
        page(["a", "b"], 1, f"{cursor}{also}")


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(InvalidCursor) as refused:
        page(["a", "b"], 1, page(["a", "b"], 1, of="prompts").next_cursor)
    assert refused.value.object()["code"] == "invalid_cursor"
    assert refused.value.status == 400


def test_a_page_of_nothing_would_never_end() -> None:
    with pytest.raises(ValueError, match="0 bytes"):
        page(["a"], 0)
