"""The tools, resources and prompts that the server offers to MCP clients, its identity and its capabilities.

How they are listed is in lists.py. No tool is run here, and no request is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ...authoring.permitted import permitted
from ...authoring.prompt import Prompt, Prompts
from ...authoring.resource import Resources
from ...authoring.tool import Registry, Tool
from ...manifest import Manifest, server_info
from ...protocol.access import Access
from ...protocol.errors import InvalidParams
from ...protocol.mcp.advice import invalid_arguments
from ...protocol.mcp.revisions import Wire
from ...web.messages import Request
from ...web.metrics import Counter
from .completion import Completions
from .lists import Lists

LIST_TTL_MS = 60_000
"""How long a client may cache a list. Lists change with a deployment, and subscribers of `subscriptions/listen` are
notified of other changes; for all others a minute is an acceptable delay."""


@dataclass(frozen=True)
class Offer:
    """Tools, resources and prompts of one server, its identity, and what it tells the models that use it."""

    manifest: Manifest
    tools: Registry
    completions: Completions
    resources: Resources = field(default_factory=Resources)
    prompts: Prompts = field(default_factory=Prompts)
    instructions: str | None = None
    repairs: Counter = field(default_factory=Counter)
    """Values that were repaired in the arguments of calls."""
    verifies: bool = False
    """Whether something knows who calls: then what is offered may differ from caller to caller."""

    @property
    def namespace(self) -> str:
        """The prefix of our own `_meta` keys: that of the key in mcp.json."""
        return self.manifest.namespace

    def introduction(self, wire: Wire) -> dict[str, Any]:
        """`serverInfo`, an `Implementation` as the revision knows it, and `instructions`, if there are any."""
        known = {"name", "version", *wire.described_by}
        info = {name: value for name, value in server_info(self.manifest).items() if name in known}
        told: dict[str, Any] = {"serverInfo": info}
        return told if self.instructions is None else {**told, "instructions": self.instructions}

    @cached_property
    def identity(self) -> dict[str, Any]:
        """`serverInfo` for results that are not about the server: without description and icons, which may be large."""
        return {
            name: value for name, value in server_info(self.manifest).items() if name in ("name", "version", "title")
        }

    @property
    def capabilities(self) -> dict[str, Any]:
        """The server's capabilities in every revision, without extensions.

        Resources and prompts are declared even if there are none: some may be added later, and clients that are
        connected by then would not look for them.
        """
        return {
            "tools": {"listChanged": True},
            "resources": {"listChanged": True, "subscribe": True},
            "prompts": {"listChanged": True},
            "completions": {},
            "logging": {},
        }

    @cached_property
    def lists(self) -> Lists:
        return Lists(self.tools, self.resources, self.prompts, self.namespace)

    def check_readable(self, uris: Iterable[str], access: Access) -> None:
        """Raises InsufficientScope for a URI of a resource that the caller is shown and needs more scopes for. Others
        are let pass: that there is no such resource, and one that the caller is not shown, are the same to it."""
        if all(not each.scopes for each in self.resources):
            return
        for uri in uris:
            if (found := self.resources.at(uri)) is not None:
                permitted(found[0], access)

    def arguments(self, tool: Tool, params: dict[str, Any]) -> dict[str, Any]:
        """The arguments of a tools/call. What was repaired in them is written into `params`: of it header fields and
        the digest of a requestState are made. Raises InvalidParams in MCP's words."""
        try:
            validated = tool.validated(params.get("arguments") or {}, called="arguments")
        except InvalidParams as error:
            raise invalid_arguments(error, tool.name, tool.signature.input_schema) from None
        if validated.repaired:
            params["arguments"] = validated.params
            self.repairs.add(validated.repaired)
        return validated.arguments

    def prompt_arguments(self, prompt: Prompt, params: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a prompts/get. Raises InvalidParams in MCP's words."""
        try:
            return prompt.arguments(params.get("arguments") or {})
        except InvalidParams as error:
            raise invalid_arguments(error, prompt.name, prompt.signature.input_schema) from None

    async def complete(self, params: Mapping[str, Any], http: Request) -> dict[str, Any]:
        """Suggested values for one argument of a prompt or resource template that this caller may use (Completion)."""
        reference, argument, access = params["ref"], params["argument"], http.access
        if reference["type"] == "ref/prompt":
            signature = self.prompts.get(reference["name"], access).signature
        else:
            signature = self.resources.template(reference["uri"], access).signature
        context = (params.get("context") or {}).get("arguments") or {}
        name, value = argument["name"], argument["value"]
        completed = await self.completions.complete(signature, name, value, context, http.payer)
        return {"completion": completed}
