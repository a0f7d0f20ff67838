"""Escapes untrusted text for printing. Nothing here may print, or interpret the text.

A tool's output may contain what a third party put into a DNS record or a banner: escape sequences that move the cursor,
change the title, or paste commands; and marks that reverse the direction of text.
"""

from __future__ import annotations

import json
import re
from typing import Any

# C0 and C1 controls and DEL (ESC, CSI, OSC…, which terminals execute), the marks and overrides of text direction (which
# make a line read differently from its bytes), line and paragraph separators, and lone surrogates, which no encoding
# can print.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNSAFE_BUT_NEWLINE = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))


def harmless(text: str) -> str:
    r"""`text` in one line, with every unsafe character as \xNN or \uNNNN."""
    return _UNSAFE.sub(_visible, text)


def harmless_lines(text: str) -> str:
    """`text` in its own lines, each of them `harmless`; tabs are spaces."""
    return "\n".join(map(harmless, text.replace("\r\n", "\n").expandtabs(4).split("\n")))


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def one_line(value: Any) -> str:
    """`value` as compact JSON in one line; harmless, and still valid JSON: unsafe characters occur only in strings."""
    return _UNSAFE.sub(_json_escape, json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def many_lines(value: Any) -> str:
    """`value` as indented JSON; harmless, and still valid JSON."""
    return _UNSAFE_BUT_NEWLINE.sub(_json_escape, json.dumps(value, ensure_ascii=False, indent=2))


def _json_escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
