"""Tools whose results the page draws in some way of their own: a report, a table, Markdown, pictures, exact numbers.

Not a test; no test's expectations belong here.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, SecretStr

from mcp_app import Audio, EmbeddedResource, File, Image, ResourceLink, Result, Tool, tool

BEYOND_A_DOUBLE = 725653563933458432
"""As a double it is written as …400."""

MARKDOWN = """# Sales

Up by **4 %**, see `orders`:

| country | orders |
|---|---:|
| DE | 1200 |
| FR | 80 |

## Next

- ask *Ada*
  - about [the shop](https://shop.example/)
- not [this](javascript:alert(1))

```sql
select 1 < 2
```

<img src=x onerror="document.title='owned'">
"""


class Finding(BaseModel):
    code: str
    status: Literal["ok", "warn", "fail", "info"]
    weight: int
    message: str
    hint: str | None = None
    step: str


class Step(BaseModel):
    step: str
    status: str
    summary: str
    duration_ms: int


class Report(BaseModel):
    domain: str
    grade: str
    score: Annotated[int, Field(ge=0, le=100)]
    verdict: str
    days_left: Annotated[int, Field(title="Days until it expires")]
    not_before: str
    duration_ms: int
    spf: str | None = None
    findings: list[Finding]
    steps: list[Step]


FINDINGS = [
    Finding(code="hsts_ok", status="ok", weight=0, message="HSTS is on.", step="headers"),
    Finding(code="csp_missing", status="warn", weight=6, message="No Content-Security-Policy.", step="headers",
            hint="Start with default-src 'self'."),
    Finding(code="mx_missing", status="info", weight=0, message="No MX record.", step="dns"),
    Finding(code="https_redirect_missing", status="fail", weight=15, message="Plain HTTP does not lead to HTTPS.",
            step="redirects", hint="Redirect every request to https:// (301 or 308)."),
    Finding(code="hsts_short", status="warn", weight=10, message="HSTS lasts less than 180 days.", step="headers"),
    Finding(code="caa_missing", status="info", weight=2, message="No CAA record.", step="dns"),
]  # fmt: skip
STEPS = [
    Step(step="dns", status="ok", summary="2 addresses, 2 name servers", duration_ms=84),
    Step(step="redirects", status="fail", summary="1 redirect, ends at http://shop.example/", duration_ms=1392),
    Step(step="files", status="skipped", summary="Nothing to ask for.", duration_ms=1),
]


class Address(BaseModel):
    street: str
    city: str = "Berlin"


class Customer(BaseModel):
    name: str
    address: Address


def picture(width: int = 160, height: int = 90) -> bytes:
    """A PNG with a slope in it (PNG, 2nd edition, 11.2)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(
        b"\0"
        + b"".join(bytes((40, 120 + x % 120, 200 if y > height - x * height / width else 235)) for x in range(width))
        for y in range(height)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def sound() -> bytes:
    """A tenth of a second of silence, as WAVE."""
    samples = bytes(1600)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    data = b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", 4 + len(form) + len(data)) + b"WAVE" + form + data


def result_tools() -> list[Tool]:
    @tool(read_only=True)
    async def report() -> AsyncIterator[Step | Result[Report]]:
        """Judge a shop, step by step."""
        for step in STEPS:
            yield step
        yield Result(
            Report(
                domain="shop.example",
                grade="E", score=45, verdict="E: plain HTTP does not lead to HTTPS.", days_left=12,
                not_before="2026-03-01T08:30:00Z", duration_ms=1477, findings=FINDINGS, steps=STEPS,
            )
        )  # fmt: skip

    @tool(read_only=True)
    async def orders(count: Annotated[int, Field(ge=1, le=500)] = 4) -> list[dict[str, Any]]:
        """List orders."""
        names = ["Ada", "=1+1", 'Grace "G"', "Linus, T."]
        return [
            {"id": 10_000 + n, "customer": names[n % 4], "total_eur": (n * 37 % 11) * 1000.5, "paid": n % 2 == 0}
            for n in range(count)
        ]

    @tool(read_only=True)
    async def notes() -> str:
        """Write Markdown."""
        return MARKDOWN

    @tool(read_only=True)
    async def media() -> list[str | Image | Audio | EmbeddedResource | ResourceLink]:
        """Show a plot, play a sound, hand a file over."""
        return [
            "**Sales** in 2026:",
            Image(picture()),
            Audio(sound()),
            File(b"a,b\n1,2\n", name="sales.csv"),
            EmbeddedResource(uri="file:///data/page.html", blob=b"<script>1</script>", mime_type="text/html"),
            ResourceLink("https://shop.example/report", name="report", description="The whole of it."),
        ]

    @tool(read_only=True)
    async def big(number: int = 1, extra: dict[str, int] | None = None) -> dict[str, Any]:
        """Give integers back, and one that no double holds."""
        return {"number": number, "extra": extra, "own": BEYOND_A_DOUBLE, "text": str(number)}

    @tool
    async def greet(customer: Customer, password: SecretStr, gift: Address | None = None) -> dict[str, Any]:
        """Greet a customer.

        Args:
            customer: who it is
            password: of the shop
            gift: where a gift goes
        """
        del password
        return {"name": customer.name, "city": customer.address.city, "gift": gift and gift.model_dump()}

    @tool(read_only=True)
    async def summary(shops: int = 3) -> Result[dict[str, int] | None]:
        """Say in short what was found, show a plot, and have the data."""
        text = f"**{shops} shops** sell <b>it</b>."
        return Result({"shops": shops} if shops else None, text=text, content=[Image(picture()), "A plot."])

    @tool(read_only=True)
    async def catalogue(shops: int = 2) -> dict[str, Any]:
        """List what some shops have."""
        goods = [{"name": "tea", "pieces": 3}, {"name": "milk", "pieces": 0}]
        return {"shops": [{"name": f"shop {n}", "city": "Berlin", "goods": goods} for n in range(shops)]}

    return [report, orders, notes, media, big, greet, summary, catalogue]
