"""How the page's tests look at rows, and have them sent batch by batch.

Not a test; no test's expectations belong here.
"""

from __future__ import annotations

from playwright.async_api import Locator, Page

RESULT = "#outcome-body .rows"
SO_FAR = "#arrived .rows"


def said(page: Page, where: str = RESULT) -> Locator:
    """What is said below the table."""
    return page.locator(f"{where} .under .hint")


def head(page: Page, name: str) -> Locator:
    return page.get_by_role("columnheader", name=name)


async def column(page: Page, number: int) -> list[str]:
    """The cells of one column that are drawn; 1 is the first."""
    return await page.locator(f".rows tbody tr:not(.room) > td:nth-of-type({number})").all_inner_texts()


async def query(page: Page, tool: str = "query", **params: str) -> None:
    """Start the query whose batches are let go one by one."""
    await page.locator("#tool").select_option(tool)
    await page.locator('[data-name="on_demand"] input').check()
    for name, text in params.items():
        await page.locator(f'[data-name="{name}"] input').fill(text)
    await page.locator("#start").click()
