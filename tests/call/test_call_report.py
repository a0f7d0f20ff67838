"""What a person reads of a result in a terminal: a line a step, a grade, tables, files by name; all of it by --full."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from command_line import Terminal, call, terminal
from live_server import LiveServer
from wire_app import PATH

from mcp_app.client.saving import Saved


def lines(shown: Terminal) -> list[str]:
    """What stands on the terminal, without what the bar drew and took away."""
    kept = [line.rstrip().rpartition("\r")[2] for line in shown.plain.replace("\r\n", "\n").split("\n")]
    return [line for line in kept if line and "━" not in line]


async def shown_lines(*words: str | Path, columns: int = 100) -> list[str]:
    async with terminal(*words, columns=columns) as shown:
        assert await shown.end() == 0, shown.text
    return lines(shown)


async def test_a_step_is_one_line_with_sign_and_seconds_and_the_result_a_report(server: LiveServer) -> None:
    seen = await shown_lines(server.url + PATH, "audit")
    steps = [line for line in seen if re.match(r" +\d+\.\d s ", line)]
    assert [re.sub(r"^ +\d+\.\d s ", "", line)[:29] for line in steps] == [
        "✓ tls  valid for 60 days",
        "✗ redirects  no https; no htt",
    ]
    assert len(steps[1]) <= 100
    assert steps[1].endswith("…")
    done = seen.index("audit: done in 1.8 s, 4 events")
    assert seen[done + 1 :] == [
        "grade E  score 52  Much is missing.",
        "domain  example.com",
        "findings (3)",
        "✗ fail  No https [bold]here[/bold].",
        "        Redirect.",
        "! warn  No HSTS.",
        "✓ 1 ok",
        "This is not all of it: --full shows the rest, --json is for programs.",
    ]


async def test_full_shows_all_of_each_step_and_of_the_result(server: LiveServer) -> None:
    async with terminal(server.url + PATH, "audit", "--full") as shown:
        assert await shown.end() == 0
    text = re.sub(r"\s", "", shown.plain)
    assert "x" * 5000 in text
    assert '"code":"cert","status":"ok"' in text
    assert "not all of it" not in shown.plain


async def test_rows_are_a_table_with_an_end(server: LiveServer) -> None:
    seen = await shown_lines(server.url + PATH, "rows")
    head = next(number for number, line in enumerate(seen) if re.fullmatch(r"name +size +ok", line))
    assert re.fullmatch(r"n0 +0 +null", seen[head + 1])
    assert len(seen) - head == 1 + 20 + 2
    assert seen[-2] == "… 10 more"


async def test_a_text_is_a_text(server: LiveServer) -> None:
    seen = await shown_lines(server.url + PATH, "oneobject")
    assert seen[-1] == "2"


async def test_the_short_text_stands_for_the_data_and_pictures_are_named(server: LiveServer) -> None:
    assert (await shown_lines(server.url + PATH, "rich"))[-3:] == [
        r"2 rows\x1b[2J",
        "[image/png, 2 kB; --save DIR writes it]",
        "This is not all of it: --full shows the rest, --json is for programs.",
    ]
    assert (await shown_lines(server.url + PATH, "odd_beside"))[-1] == "1"


async def test_full_shows_the_data_and_all_that_is_beside_it(server: LiveServer) -> None:
    async with terminal(server.url + PATH, "rich", "--full") as shown:
        assert await shown.end() == 0
    text = re.sub(r"\s", "", shown.plain)
    assert '{"rows":[{"id":1},{"id":2}]}' in text
    assert r'"text":"2rows\u001b[2J"' in text
    assert '"com.example/took":3' in text


@pytest.mark.parametrize("how", [(), ("--json",)], ids=["piped", "json"])
async def test_a_program_gets_the_data_and_pictures_beside_it_are_written(
    server: LiveServer, how: tuple[str, ...], tmp_path: Path
) -> None:
    outcome = await call(server.url + PATH, "rich", "--save", tmp_path, *how)
    assert outcome.status == 0
    assert '{"rows":[{"id":1},{"id":2}]}' in outcome.out
    assert set(os.listdir(tmp_path)) == {"rich-1.png"}


async def test_a_picture_is_named_and_written_where_it_is_asked_for(server: LiveServer, tmp_path: Path) -> None:
    seen = await shown_lines(server.url + PATH, "plot")
    assert seen[-3:] == ["A plot:", r"\x1b[2J", "[image/png, 2 kB; --save DIR writes it]"]
    assert not any("iVBOR" in line or "iVBP" in line for line in seen)
    folder = tmp_path / "new" / "pictures"
    (tmp_path / "new").mkdir()
    for times in (1, 2):
        await shown_lines(server.url + PATH, "plot", "--save", folder, columns=300)
        assert {path.name for path in folder.iterdir()} == {f"plot-{number}.png" for number in range(1, 2 * times + 1)}
    assert {path.read_bytes() for path in folder.iterdir()} == {b"\x89PNG" * 500}


@pytest.mark.parametrize("how", [(), ("--json",)])
async def test_it_is_written_from_a_pipe_as_well(server: LiveServer, tmp_path: Path, how: tuple[str, ...]) -> None:
    outcome = await call(server.url + PATH, "plot", "--save", tmp_path / "there", *how)
    assert (outcome.status, outcome.err) == (0, "")
    assert {path.read_bytes() for path in (tmp_path / "there").iterdir()} == {b"\x89PNG" * 500}
    assert len(list((tmp_path / "there").iterdir())) == 2


async def test_a_directory_that_cannot_be_made_is_refused_before_the_call(server: LiveServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    outcome = await call(server.url + PATH, "plot", "--save", tmp_path / "file" / "in")
    assert outcome.status == 2
    assert outcome.err.startswith(f"mcp-app call: --save {tmp_path}/file/in: Not a directory")


async def test_what_no_server_of_ours_sends_is_shown_all_the_same(server: LiveServer) -> None:
    seen = await shown_lines(server.url + PATH, "odd", columns=1000)
    assert any(line.startswith("grade Z  score 1000") for line in seen)
    assert '{"a":[]}' in seen
    assert 'deep  {"b":{}}' in seen


def test_what_was_too_large_for_an_event_says_where_it_is(tmp_path: Path) -> None:
    link = {"type": "resource_link", "uri": "run://0/results/1", "mimeType": "image/png", "size": 2_000_000}
    saved = Saved(None, "plot")
    assert saved.described({**link, "url": "/runs/0/results/1"}) == (
        "[image/png, 2000000 bytes, too large for an event: GET /runs/0/results/1]"
    )
    assert saved.described(link) is None  # of an author's own: it stands as it is
