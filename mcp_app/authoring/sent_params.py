"""The parameters of a tool that calls another, as the JSON that a client would send: secrets among them in plain.

Results are not written here: what leaves the process has asterisks in the place of a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel, RootModel, Secret, SecretBytes, SecretStr

from ..protocol.event import decode, encode

_PLAIN = frozenset({str, int, float, bool, type(None)})
"""Of what most parameters are."""

_ASTERISKS = "**********"
"""Which is written of a secret in a value of any type; where its type is declared, it is what `str` makes of it."""


def sent_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON values of the parameters. Raises NotJson."""
    written: dict[str, Any] = decode(encode(params))
    return written if _PLAIN.issuperset(map(type, params.values())) else _in_plain(params, written)


def _in_plain(value: Any, written: Any) -> Any:
    """`written`, with each secret of `value` that is asterisks there. A serializer of its author's may have written
    something else."""
    if isinstance(value, Secret | SecretStr | SecretBytes):
        return decode(encode(value.get_secret_value())) if written in (str(value), _ASTERISKS) else written
    if isinstance(value, RootModel):
        return _in_plain(value.root, written)
    match written:
        case dict():
            parts = _parts(value)
            return {name: _in_plain(parts.get(name), each) for name, each in written.items()}
        case list() if isinstance(value, list | tuple | AbstractSet) and len(value) == len(written):
            return [_in_plain(*pair) for pair in zip(value, written, strict=True)]
        case _:
            return written


def _parts(value: Any) -> dict[str, Any]:
    """By the names that they are written with."""
    if isinstance(value, BaseModel):
        parts = dict(value)
    elif is_dataclass(value):
        parts = {each.name: getattr(value, each.name, None) for each in fields(value)}
    else:
        return {str(name): each for name, each in value.items()} if isinstance(value, Mapping) else {}
    declared = getattr(value, "__pydantic_fields__", {})  # pydantic's own dataclasses have them, too
    aliases = {name: field.serialization_alias for name, field in declared.items()}
    return {aliases.get(name) or name: each for name, each in parts.items()}
