"""For MCP clients: a tool that asks its user, a resource behind a URI, and a prompt.

Served by `mcp-app serve examples/interview.py`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from mcp_app import Context, prompt, resource, tool

MENU = {"espresso": 2.2, "tea": 1.8, "water": 0.0}

Drink = Literal["espresso", "tea", "water"]


class Order(BaseModel):
    drink: Drink
    cups: Annotated[int, Field(ge=1, le=8)] = 1


class Bill(BaseModel):
    drink: str
    cups: int
    euros: float


@tool
async def order(ctx: Context) -> Bill:
    """Take an order: the client asks its user what it is to be."""
    asked = await ctx.ask(Order, "What would you like to drink?")
    return Bill(drink=asked.drink, cups=asked.cups, euros=round(MENU[asked.drink] * asked.cups, 2))


@resource("menu://{drink}", mime_type="application/json")
def price(drink: Drink) -> dict[str, str | float]:
    """What a drink costs.

    Args:
        drink: which one
    """
    return {"drink": drink, "euros": MENU[drink]}


@prompt
def recommend(weather: str) -> str:
    """Ask for a recommendation.

    Args:
        weather: what it is like outside
    """
    return f"It is {weather} outside. Which of {', '.join(MENU)} should I drink, and why?"
