"""What the official MCP conformance suite expects a server to offer, written with public names only.

    mcp-app serve tests/conformance/fixture.py
    make conformance

The names, the texts and the shapes are the suite's. No check is answered by anything but what an author can write.
"""

from __future__ import annotations

import asyncio
import base64
from typing import Annotated, Any, Literal, Self

import fixture_asks
import fixture_tasks
from pydantic import BaseModel, ConfigDict, Field, model_validator

from mcp_app import (
    Audio,
    Context,
    EmbeddedResource,
    Image,
    Prompt,
    Prompts,
    Registry,
    Tool,
    ToolError,
    prompt,
    resource,
    tool,
)

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)  # one red pixel
WAV = base64.b64decode("UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAAAAA==")  # one sample of silence

PAUSE = 0.05  # seconds between two notifications, as the suite's description has them


# --- tools: content --------------------------------------------------------------------------------------------------


@tool
def test_simple_text() -> str:
    """Return a text."""
    return "This is a simple text response for testing."


@tool
def test_image_content() -> Image:
    """Return a picture."""
    return Image(PNG)


@tool
def test_audio_content() -> Audio:
    """Return a sound."""
    return Audio(WAV, "audio/wav")


@tool
def test_embedded_resource() -> EmbeddedResource:
    """Return a resource that is carried along."""
    return EmbeddedResource(
        uri="test://embedded-resource", mime_type="text/plain", text="This is an embedded resource content."
    )


@tool
def test_multiple_content_types() -> list[Any]:
    """Return text, a picture and a resource."""
    return [
        "Multiple content types test:",
        Image(PNG),
        EmbeddedResource(
            uri="test://mixed-content-resource", mime_type="application/json", text='{"test":"data","value":123}'
        ),
    ]


@tool
def test_error_handling() -> str:
    """Fail, in words that are for the model."""
    raise ToolError("This tool intentionally returns an error for testing")


# --- tools: what happens on the way ----------------------------------------------------------------------------------


@tool
async def test_tool_with_logging(ctx: Context) -> str:
    """Log three lines."""
    for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.log("info", line)
        await asyncio.sleep(PAUSE)
    return "Logged three lines."


@tool
async def test_logging_tool(ctx: Context) -> str:
    """Log one line, for whoever asked for it."""
    await ctx.log("info", "This is a line for those who asked for it")
    return "Logged one line."


@tool
async def test_tool_with_progress(ctx: Context) -> str:
    """Report progress three times."""
    for done in (0, 50, 100):
        await ctx.progress(done, 100, f"Completed step {done} of 100")
        await asyncio.sleep(PAUSE)
    return "Reported progress three times."


@tool
async def test_reconnection(ctx: Context) -> str:
    """Let go of the caller's stream, and end after that: the caller comes back for the result."""
    await ctx.let_go()
    await asyncio.sleep(3 * PAUSE)
    return "Reconnection test completed successfully."


# --- tools: headers and schemas --------------------------------------------------------------------------------------


@tool
def test_x_mcp_header(
    region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "default",  # noqa: PT028
) -> str:
    """Repeat the region, which clients say in a header too."""
    return f"Region: {region}"


SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


class Address(BaseModel):
    street: str | None = None
    city: str | None = None


class Contact(BaseModel):
    """What SCHEMA says, as the model that a call's arguments are read into."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    address: Address | None = None
    contactMethod: Literal["phone", "email"] | None = None  # noqa: N815 - the suite's name for it
    phone: str | None = None
    email: str | None = None

    @model_validator(mode="after")
    def reachable(self) -> Self:
        """`if`, `then` and `else`; they imply `allOf`."""
        needed = "phone" if self.contactMethod == "phone" else "email"
        if getattr(self, needed) is None:
            raise ValueError(f"{needed} is required")
        return self


@tool(parameters=Contact, input_schema=SCHEMA)
def json_schema_2020_12_tool(contact: Contact) -> str:
    """Take what a schema with the keywords of JSON Schema 2020-12 describes."""
    return f"Reached by {contact.contactMethod or 'email'}."


# --- tools: lists that change ----------------------------------------------------------------------------------------


@tool
def test_trigger_tool_change() -> str:
    """Tell whoever listens that the tools have changed."""
    tools.changed()
    return "Told of a change of the tools."


@tool
def test_trigger_prompt_change() -> str:
    """Tell whoever listens that the prompts have changed."""
    prompts.changed()
    return "Told of a change of the prompts."


# --- resources -------------------------------------------------------------------------------------------------------


@resource("test://static-text", name="static-text", mime_type="text/plain")
def static_text() -> str:
    """A text that never changes."""
    return "This is the content of the static text resource."


@resource("test://static-binary", name="static-binary", mime_type="image/png")
def static_binary() -> bytes:
    """A picture that never changes."""
    return PNG


@resource("test://watched-resource", name="watched-resource", mime_type="text/plain")
def watched_resource() -> str:
    """A resource that clients subscribe to."""
    return "Watched resource content"


@resource("test://template/{id}/data", name="template-data", mime_type="application/json")
def template_data(id: str) -> dict[str, Any]:  # noqa: A002 - the suite's name for it
    """Data for any id."""
    return {"id": id, "templateTest": True, "data": f"Data for ID: {id}"}


# --- prompts ---------------------------------------------------------------------------------------------------------


@prompt
def test_simple_prompt() -> str:
    """Say something."""
    return "This is a simple prompt for testing."


@prompt
def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """Say something with two arguments.

    Args:
        arg1: The first.
        arg2: The second.
    """
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@prompt
def test_prompt_with_embedded_resource(resourceUri: str) -> list[Any]:  # noqa: N803 - the suite's name for it
    """Say something about a resource.

    Args:
        resourceUri: Which one.
    """
    return [
        EmbeddedResource(uri=resourceUri, mime_type="text/plain", text="Embedded resource content for testing."),
        "Please process the embedded resource above.",
    ]


@prompt
def test_prompt_with_image() -> list[Any]:
    """Say something about a picture."""
    return [Image(PNG), "Please analyze the image above."]


# --- what is served --------------------------------------------------------------------------------------------------

_made = [*globals().values(), *vars(fixture_asks).values(), *vars(fixture_tasks).values()]

tools = Registry([each for each in _made if isinstance(each, Tool)])
prompts = Prompts([each for each in _made if isinstance(each, Prompt)])
