"""A workflow: one tool calls three others, two of them several times at once, and its caller sees each at work.

Served by `mcp-app serve examples/workflow.py`. Each of the four can be called by itself, too.
"""

import asyncio
import csv
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from mcp_app import Context, tool

TABLE = Path(__file__).parent / "data" / "planets.csv"

Kind = Literal["rock", "gas", "ice"]


class Planet(BaseModel):
    name: str
    kind: Kind
    moons: int


class Count(BaseModel):
    kind: Kind
    planets: int
    moons: int


@tool(read_only=True, open_world=False)
def planets(ctx: Context) -> list[Planet]:
    """Read the table of planets: a plain function, which works in a thread of its own."""
    with TABLE.open(newline="", encoding="utf-8") as file:
        rows = [Planet.model_validate(row) for row in csv.DictReader(file)]
    ctx.progress(1, 1, f"{len(rows)} planets")
    return rows


@tool(read_only=True, open_world=False)
async def count(ctx: Context, kind: Kind, among: list[Planet]) -> Count:
    """Count the planets of one kind, and their moons.

    Args:
        kind: of which kind
        among: the planets that are looked at
    """
    found = [planet for planet in among if planet.kind == kind]
    await ctx.progress(1, 1, f"{len(found)} of {len(among)}")
    return Count(kind=kind, planets=len(found), moons=sum(planet.moons for planet in found))


@tool(read_only=True, open_world=False)
async def describe(counts: list[Count]) -> str:
    """Put counts into words."""
    return "; ".join(f"{each.kind}: {each.planets} planets, {each.moons} moons" for each in counts)


@tool(read_only=True, open_world=False)
async def survey(ctx: Context, kinds: list[Kind]) -> str:
    """Say how many planets and moons there are of some kinds."""
    among = await ctx.part(0, 40).call(planets)
    share = 50 / max(1, len(kinds))
    counts = await asyncio.gather(
        *(
            ctx.part(40 + share * at, 40 + share * (at + 1), kind).call(count, kind=kind, among=among)
            for at, kind in enumerate(kinds)
        )
    )
    return await ctx.part(90, 100).call(describe, counts=counts)
