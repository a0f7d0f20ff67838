"""Who signs out of the page at one node is signed out at all, those among them that join later."""

from __future__ import annotations

import asyncio
import secrets
import time
from pathlib import Path

import pytest
from loop_clock import on_loop_clock
from nodes_stage import Site, nodes, settle

from mcp_app.auth import keys as key_text
from mcp_app.auth.key_file import KeyFile
from mcp_app.auth.key_records import KeyRecord
from mcp_app.auth.key_verifier import KeyVerifier
from mcp_app.auth.page_sign_in import PageSignIns
from mcp_app.auth.shared_sign_outs import NAME, SharedSignOuts
from mcp_app.eventlog.shared import LEASE_SECONDS
from mcp_app.protocol.access import Access
from mcp_app.protocol.errors import LogUnavailable
from mcp_app.protocol.scopes import Hierarchy
from mcp_app.web.messages import Request

HOST = "localhost:8000"


class Door:
    """The page's sign-ins of one site."""

    def __init__(self, file: KeyFile, key_id: str) -> None:
        self.keys = KeyVerifier(file, Hierarchy.read(""))
        self.sign_ins = PageSignIns(self.keys, ["a secret of all the nodes"])
        self._access = Access(f"key:{key_id}", credential=key_id)

    def sign_in(self) -> str:
        name, value = self.sign_ins.sign_in(self._access, f"http://{HOST}")
        return f"{name}={value}"

    def lets_in(self, cookie: str) -> bool:
        return self.sign_ins.verify(_with(cookie)) is not None

    async def sign_out(self, cookie: str) -> None:
        await self.sign_ins.sign_out(_with(cookie))


def _with(cookie: str) -> Request:
    return Request("GET", "/", headers={"host": HOST, "origin": f"http://{HOST}", "cookie": cookie})


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys.json")


async def doors(file: KeyFile, count: int) -> list[Door]:
    key = key_text.make(secrets.randbits)
    record = KeyRecord(key.id, "laptop", key.digest, frozenset(), int(time.time()), None)
    file.change(lambda records: records.update({key.id: record}), create=True)
    made = [Door(file, key.id) for _ in range(count)]
    for door in made:
        await door.keys.look()
    return made


@on_loop_clock
async def test_who_signs_out_at_one_node_is_out_at_all(file: KeyFile) -> None:
    here, there, later = await doors(file, 3)
    async with nodes() as sites:
        for site, door in zip(sites, (here, there), strict=True):
            SharedSignOuts(site.node, door.sign_ins)
        cookies = [here.sign_in() for _ in range(3)]
        assert all(there.lets_in(each) for each in cookies)
        await here.sign_out(cookies[0])
        await settle()
        await there.sign_out(cookies[1])
        await settle()
        assert [[door.lets_in(each) for each in cookies] for door in (here, there)] == [[False, False, True]] * 2
        assert later.lets_in(cookies[0])
        third = Site(sites[0].log._shared, sites[0].play)
        await third.node.start(third.runs.known)
        SharedSignOuts(third.node, later.sign_ins)
        await settle()
        assert [later.lets_in(each) for each in cookies] == [False, False, True]
        await third.close()


@on_loop_clock
async def test_a_node_that_was_cut_off_learns_it_when_it_joins_again(file: KeyFile) -> None:
    here, there = await doors(file, 2)
    async with nodes() as (site, cut):
        SharedSignOuts(site.node, here.sign_ins)
        SharedSignOuts(cut.node, there.sign_ins)
        cookie = here.sign_in()
        cut.log.reachable = False
        await asyncio.sleep(2 * LEASE_SECONDS)
        with pytest.raises(LogUnavailable):
            await there.sign_out(there.sign_in())
        await here.sign_out(cookie)
        await settle()
        assert there.lets_in(cookie)
        cut.log.reachable = True
        await asyncio.sleep(2 * LEASE_SECONDS)
        assert not there.lets_in(cookie)


@on_loop_clock
async def test_sign_outs_at_once_are_all_kept(file: KeyFile) -> None:
    made = await doors(file, 2)
    async with nodes() as sites:
        for site, door in zip(sites, made, strict=True):
            SharedSignOuts(site.node, door.sign_ins)
        cookies = [made[0].sign_in() for _ in range(10)]
        await asyncio.gather(*(made[at % 2].sign_out(each) for at, each in enumerate(cookies)))
        await settle()
        assert not any(door.lets_in(each) for each in cookies for door in made)
        document = await sites[0].log.get(NAME)
        assert document is not None
        assert document.version == 10
