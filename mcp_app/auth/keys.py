"""API keys: how one is made, and what of it is its id.

Pure, but for the randomness that is an argument. Where keys are kept is in key_records.py and key_file.py.

    mcpk_ · id (12) · secret (43) · checksum (6)          letters and digits

The secret has 256 random bits. The checksum (CRC-32) finds a key that was copied in part, before anything is looked
up, and lets scanners for leaked secrets know one.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable
from typing import NamedTuple

PREFIX = "mcpk_"

ID_CHARACTERS = 12
"""71 bits: two of a million keys have the same with a probability of 1 to 10**9, and then one is made again."""

SECRET_BITS = 256
_SECRET_CHARACTERS = 43  # 62 ** 43 > 2 ** 256
_CHECKSUM_CHARACTERS = 6  # 62 ** 6 > 2 ** 32

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY = re.compile(
    rf"{PREFIX}([0-9A-Za-z]{{{ID_CHARACTERS}}})[0-9A-Za-z]{{{_SECRET_CHARACTERS + _CHECKSUM_CHARACTERS}}}", re.ASCII
)
ID = re.compile(rf"[0-9A-Za-z]{{{ID_CHARACTERS}}}", re.ASCII)


class Key(NamedTuple):
    """A key as its holder has it: `text` is secret."""

    id: str
    text: str

    @property
    def digest(self) -> bytes:
        return digest(self.text)


def make(random_bits: Callable[[int], int]) -> Key:
    """A new key; `random_bits` is `secrets.randbits`."""
    id_ = _written(random_bits(ID_CHARACTERS * 6) % len(_DIGITS) ** ID_CHARACTERS, ID_CHARACTERS)
    unchecked = f"{PREFIX}{id_}{_written(random_bits(SECRET_BITS), _SECRET_CHARACTERS)}"
    return Key(id_, unchecked + _checksum(unchecked))


def is_key(text: str) -> bool:
    """Whether the text is meant to be a key: it may be none all the same."""
    return text.startswith(PREFIX)


def id_of(text: str) -> str:
    """The id of a key; of what is none, something else."""
    return text[len(PREFIX) : len(PREFIX) + ID_CHARACTERS]


def parse(text: str) -> Key | None:
    """The key; None for what is none, as its length, a character or its checksum is wrong."""
    match = _KEY.fullmatch(text)
    if match is None or _checksum(text[:-_CHECKSUM_CHARACTERS]) != text[-_CHECKSUM_CHARACTERS:]:
        return None
    return Key(match[1], text)


def digest(text: str) -> bytes:
    """What is kept of a key: SHA-256. Nobody can guess 256 random bits, so no slow function is needed."""
    return hashlib.sha256(text.encode("ascii", "replace")).digest()


def _checksum(unchecked: str) -> str:
    return _written(zlib.crc32(unchecked.encode("ascii")), _CHECKSUM_CHARACTERS)


def _written(number: int, characters: int) -> str:
    digits = []
    for _ in range(characters):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
