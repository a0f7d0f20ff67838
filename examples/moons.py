"""A tool with a result for each of its readers: rows for a program, a sentence for a model, a picture for a person.

Served by `mcp-app serve examples/moons.py`.
"""

import csv
import struct
import zlib
from pathlib import Path

from pydantic import BaseModel

from mcp_app import Image, Result, tool

PLANETS = Path(__file__).parent / "data" / "planets.csv"


class Planet(BaseModel):
    """One bar of the picture."""

    name: str
    moons: int


@tool(read_only=True)
def moons(at_least: int = 0) -> Result[list[Planet]]:
    """Count the moons of the planets.

    Args:
        at_least: leave out planets with fewer moons
    """
    with PLANETS.open(newline="", encoding="utf-8") as file:
        rows = [Planet(name=row["name"], moons=int(row["moons"])) for row in csv.DictReader(file)]
    found = [row for row in rows if row.moons >= at_least]
    total = sum(row.moons for row in found)
    return Result(
        found,
        text=f"{len(found)} planets have {total} moons.",
        content=[Image(bars([row.moons for row in found]))] if found else [],
        meta={"com.example/source": PLANETS.name},
    )


def bars(numbers: list[int], width: int = 20, height: int = 100) -> bytes:
    """A PNG of one grey bar for each number (PNG, 2nd edition)."""
    largest = max(numbers) or 1
    rows = [[80 if number * height > (height - y - 1) * largest else 255 for number in numbers] for y in range(height)]
    pixels = b"".join(b"\0" + b"".join(bytes([grey]) * width for grey in row) for row in rows)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", len(numbers) * width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
