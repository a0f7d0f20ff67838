"""A FastAPI application with tools mounted below /tools: who has signed in to it may call them, as the same person.

Served by `uvicorn --app-dir examples --timeout-graceful-shutdown 5 fastapi_app:app`.
"""

from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.requests import HTTPConnection

from mcp_app import Context, asgi_app, tool

USERS = {"token-of-ada": "ada", "token-of-bob": "bob"}
"""Who has which token. A real application has a database for that, and digests of the tokens in it."""

ORDERS: dict[str, list[str]] = {"ada": [], "bob": []}


def signed_in(connection: HTTPConnection) -> str | None:
    """Who calls, None for nobody: the application's own sign-in."""
    scheme, _, token = connection.headers.get("Authorization", "").partition(" ")
    return USERS.get(token) if scheme.lower() == "bearer" else None


def customer(connection: HTTPConnection) -> str:
    """Who calls one of the application's own routes."""
    name = signed_in(connection)
    if name is None:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    return name


@tool
async def order(ctx: Context, drink: str) -> int:
    """Order a drink. Returns how many the caller has ordered.

    Args:
        drink: what is wanted
    """
    ORDERS[ctx.principal].append(drink)
    return len(ORDERS[ctx.principal])


tools = asgi_app(
    Path(__file__).with_name("hello.py"),
    order,
    principal=lambda scope: signed_in(HTTPConnection(scope)),
)

app = FastAPI(lifespan=tools.lifespan)
app.mount("/tools", tools)


@app.get("/orders")
async def orders(name: Annotated[str, Depends(customer)]) -> list[str]:
    """What the caller has ordered, by whichever way."""
    return ORDERS[name]
