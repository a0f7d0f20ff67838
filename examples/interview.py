"""A café: read menu://{drink} for what a drink costs, and let `order` ask the user what it is to be.

Do not order before the user has agreed to the price.
"""

# For MCP clients: a tool that asks its user, a resource behind a URI, and a prompt. The docstring above is what the
# models of these clients are told of the server. Served by `mcp-app serve examples/interview.py`.

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from mcp_app import Context, Icon, prompt, resource, tool

CUP = Icon(
    "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHZpZXdCb3g9IjAgMCA4IDgiPjxwYXRoIGQ9"
    "Ik0xIDJoNXY0SDF6TTYgM2gxdjJINnoiLz48L3N2Zz4=",
    sizes=["any"],
)

MENU = {"espresso": 2.2, "tea": 1.8, "water": 0.0}

Drink = Literal["espresso", "tea", "water"]


class Order(BaseModel):
    drink: Drink
    cups: Annotated[int, Field(ge=1, le=8)] = 1


class Bill(BaseModel):
    drink: str
    cups: int
    euros: float


@tool(destructive=False, open_world=False, icons=[CUP], tags=["café"])
async def order(ctx: Context) -> Bill:
    """Take an order: the client asks its user what it is to be.

    Warning:
        What is ordered is made, and has to be paid.
    """
    asked = await ctx.ask(Order, "What would you like to drink?")
    return Bill(drink=asked.drink, cups=asked.cups, euros=round(MENU[asked.drink] * asked.cups, 2))


@resource("menu://{drink}", mime_type="application/json", icons=[CUP])
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
