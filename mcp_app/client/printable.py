"""What a peer sent, made safe to print. A tool's output may hold whatever a stranger's server put into a DNS record or
a banner: escape sequences that move the cursor, change the title, or paste commands; and marks that reverse the
direction of text. Nothing here may print, nor know what the text means.
"""

from __future__ import annotations

import json
import re
from typing import Any

# C0 and C1 controls and DEL (what terminals obey: ESC, CSI, OSC…), the marks and overrides of text direction (what
# makes a line read other than it is), line and paragraph separators, and lone surrogates, which no encoding can print.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNSAFE_BUT_NEWLINE = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))


def harmless(text: str) -> str:
    r"""One line of `text`: every character that a terminal would obey is shown as \xNN or \uNNNN instead."""
    return _UNSAFE.sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def one_line(value: Any) -> str:
    """`value` as JSON in one line without spaces, as on the wire; harmless, and still JSON: what is unsafe can stand
    only within strings."""
    return _UNSAFE.sub(_json_escape, json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def many_lines(value: Any) -> str:
    """`value` as indented JSON, harmless, and still JSON."""
    return _UNSAFE_BUT_NEWLINE.sub(_json_escape, json.dumps(value, ensure_ascii=False, indent=2))


def _json_escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
