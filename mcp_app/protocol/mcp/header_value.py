"""Values of header fields that are not plain ASCII: MCP 2026-07-28, basic/transports/streamable-http, "Value Encoding".

Which fields are encoded so is not known here.
"""

from __future__ import annotations

import base64
import binascii
import re

FIELD_VALUE = re.compile(r"[\t\x20-\x7e]*")
"""Visible ASCII, space and tab: what a field may have without being encoded."""

_SENTINEL = re.compile(r"=\?base64\?(.*)\?=", re.DOTALL)


def decode_value(value: str) -> str:
    """Decode the value of Mcp-Name or Mcp-Param-… ("Value Encoding").

    Raises ValueError, whose message gives the reason, for `=?base64?…?=` around anything but padded base64 of UTF-8
    (RFC 4648, 4). Only the canonical encoding of a value is accepted.
    """
    match = _SENTINEL.fullmatch(value)
    if match is None:
        return value
    try:
        decoded = binascii.a2b_base64(match[1], strict_mode=True)
        text = decoded.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("carries base64 of what is not UTF-8") from None
    except ValueError:  # binascii.Error, or not ASCII
        raise ValueError("carries what is not base64 with its padding") from None
    if base64.b64encode(decoded).decode() != match[1]:
        raise ValueError("carries base64 whose unused bits are not zero")
    return text


def encode_value(value: str) -> str:
    """Encode a value for Mcp-Name or Mcp-Param-… ("Value Encoding"); `decode_value` reads it."""
    if FIELD_VALUE.fullmatch(value) and value == value.strip(" \t") and not _SENTINEL.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="
