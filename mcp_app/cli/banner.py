"""The message that `mcp-app serve` prints when it is ready: its URLs, and how to call it. Pure: values in, text out."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from mcp_app.authoring.tool import Tool
from mcp_app.manifest.paths import MCP_PATH
from mcp_app.server.tls import Development, TlsOff

_BY_NAME = {
    "domain": "example.com",
    "host": "example.com",
    "hostname": "example.com",
    "url": "https://example.com/",
    "email": "someone@example.com",
}
"""Example values by parameter name, which such a parameter most likely accepts."""


_ASKED = "callers are asked who they are"
_NOT_ASKED = "and nobody is asked who they are"
_NOBODY_KNOWN = (
    "EVERY CALL IS REFUSED: callers are asked who they are, as MCP_APP_PUBLIC_URL is not on this machine, and nothing "
    "knows them: mcp-app keys add NAME --file FILE, and MCP_APP_KEYS=FILE; or MCP_APP_ALLOW_ANONYMOUS=1"
)

_KEY = '"Authorization: Bearer $KEY"'
"""The field with a key, as a shell has it."""


def banner(
    urls: Sequence[str],
    path: str,
    tools: Sequence[Tool],
    tls: Development | TlsOff | None,
    *,
    name: str = "mcp-app",
    resources: int = 0,
    prompts: int = 0,
    reachable: Sequence[str] = (),
    missing: Sequence[str] = (),
    asks: bool = False,
    verifies: bool = False,
    admin: Sequence[str] = (),
) -> str:
    """The lines to print. `urls` are the bound addresses, `path` the event route, `tools` those served, in order;
    `name` is the server's, for MCP clients; `resources` and `prompts` are the numbers of these; `reachable` are the
    addresses that other machines can reach; `missing` says what is not offered for want of an extra; `asks` is whether
    callers are asked who they are, and `verifies` whether anything could tell; `admin` are the addresses for
    operators."""
    names = f": {', '.join(tool.name for tool in tools)}" if tools else ""
    more = [_counted(count, noun) for count, noun in ((resources, "resource"), (prompts, "prompt")) if count]
    also = f"; {' and '.join(more)} for MCP clients" if more else ""
    lines = [f"Serving {_counted(len(tools), 'tool')}{names}{also}", *(f"  {url}/" for url in urls)]
    lines += [f"  {each}" for each in missing]
    lines += [f"  for operators, and whoever reaches it: {url}/metrics, /healthz, /readyz" for url in admin]
    if isinstance(tls, Development):
        made = "made just now" if tls.made else "development only"
        lines.append(f"  certificate: {tls.files.certificate} ({made}; to trust it: mcp-app certs)")
    elif tls is not None:
        lines.append(f"  https is off: {tls.reason}")
    if reachable:
        lines.append(f"  other machines can reach {', '.join(reachable)}, {_ASKED if asks else _NOT_ASKED}")
    elif asks and verifies:
        lines.append(f"  {_ASKED}")
    if asks and not verifies:
        lines.append(f"  {_NOBODY_KNOWN}")
    if tools and urls:
        lines += ["Try it:", *(f"  {each}" for each in _curls(urls, path, tools[0], tls, asks=asks))]
    if urls:
        lines += ["Connect an MCP client, such as Claude Code:", f"  {connect(urls, name, asks=asks)}"]
    lines.append("Stop with Ctrl-C.")
    return "\n".join(lines)


def _curls(
    urls: Sequence[str], path: str, tool: Tool, tls: Development | TlsOff | None, *, asks: bool = False
) -> list[str]:
    """Over plain HTTP, and over HTTPS where the certificate is for localhost."""
    development = tls if isinstance(tls, Development) else None
    secure = [url for url in urls if url.startswith("https:")] if development else []
    return list(dict.fromkeys(curl(each, path, tool, development, asks=asks) for each in (urls, secure) if each))


def connect(urls: Sequence[str], name: str, *, asks: bool = False) -> str:
    """The command by which Claude Code is told of this server: over plain HTTP if that is served, as `curl` is."""
    key = f" --header {_KEY}" if asks else ""
    return f"claude mcp add --transport http {shlex.quote(name)} {_plain_first(urls)}{MCP_PATH}{key}"


def _plain_first(urls: Sequence[str]) -> str:
    return next((url for url in urls if url.startswith("http:")), urls[0])


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def curl(urls: Sequence[str], path: str, tool: Tool, development: Development | None, *, asks: bool = False) -> str:
    """A curl command that calls `tool`: over plain HTTP if that is served, which needs no trusted certificate. Where
    callers are asked who they are, it has the key of the variable KEY."""
    url = _plain_first(urls)
    trust = ""
    if url.startswith("https:") and development is not None:
        trust = f" --cacert {shlex.quote(str(development.files.authority))}"
    body = json.dumps({"tool": tool.name, "params": example(tool.input_schema)}, ensure_ascii=False)
    header = shlex.quote("Content-Type: application/json")
    key = f" -H {_KEY}" if asks else ""
    return f"curl -N{trust} -X POST {url}{path} -H {header}{key} -d {shlex.quote(body)}"


def example(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Example values for the required parameters of an input schema; the schema's own examples come first."""
    found = _value("", schema, schema)
    return found if isinstance(found, dict) else {}


def _value(name: str, schema: Any, root: Mapping[str, Any], depth: int = 0) -> Any:
    if not isinstance(schema, Mapping):  # the schema `true`, which accepts anything
        return _BY_NAME.get(name, "example")
    if "$ref" in schema and depth < 8:  # bounds the recursion for a schema that refers to itself
        target = root.get("$defs", {}).get(str(schema["$ref"]).rpartition("/")[2], {})
        return _value(name, target, root, depth + 1)
    for values in (
        schema.get("examples"),
        schema.get("enum"),
        [schema[key] for key in ("const", "default") if key in schema],
    ):
        if values:
            return values[0]
    for options in (schema.get("anyOf"), schema.get("oneOf"), schema.get("allOf")):
        if options:
            return _value(name, options[0], root, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else None)
    if kind == "object":
        properties = schema.get("properties", {})
        return {key: _value(key, properties.get(key, {}), root, depth + 1) for key in schema.get("required", ())}
    if kind == "array":
        return [_value(name, schema.get("items", {}), root, depth + 1)] if schema.get("minItems") else []
    if kind in ("integer", "number"):
        return _number(schema, kind)
    return {"boolean": True, "null": None}.get(str(kind), _BY_NAME.get(name, "example"))


def _number(schema: Mapping[str, Any], kind: str) -> float:
    step = schema.get("multipleOf", 1)
    for key, offset in (("minimum", 0), ("exclusiveMinimum", step), ("maximum", 0), ("exclusiveMaximum", -step)):
        if key in schema:
            return int(schema[key] + offset) if kind == "integer" else float(schema[key] + offset)
    return int(step) if kind == "integer" else float(step)
