"""URI templates (RFC 6570) of resources: which URIs match, and the values of their variables.

Supported are level 1, `{name}`, and of level 2 `{+name}` as the last variable of a template, whose value may contain
slashes. A URI without variables is a template too. Requested URIs come from callers, so matching takes linear time, and
no value can lead out of a directory to which it is joined. No URI is fetched and no file opened here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

MAX_URI = 8192
"""Maximum length of a URI, in characters: the next power of two above the 8000 that RFC 9110, 4.1 recommends."""

_UNRESERVED = r"A-Za-z0-9\-._~"  # RFC 3986, 2.3
_ENCODED = r"%[0-9A-F]{2}"
_IN_QUERY = rf"(?:[{_UNRESERVED}!$'()*+,;=:@]|{_ENCODED})"  # pchar without &, which separates a query's fields
_IN_PATH = rf"(?:[{_UNRESERVED}!$&'()*+,;=:@]|{_ENCODED})"  # RFC 3986, 3.3: pchar
_ANYWHERE = rf"(?:[{_UNRESERVED}!$&'()*+,;=:@/?#\[\]]|{_ENCODED})"  # with reserved characters
_RESERVED = ":/?#[]@!$&'()*+,;="  # RFC 3986, 2.2

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")  # RFC 3986, 3.1
_TEXT = re.compile(rf"{_ANYWHERE}*+", re.IGNORECASE)
_TRIPLET = re.compile(r"%[0-9A-Fa-f]{2}")
_EXPRESSION = re.compile(r"\{([^{}]*)\}")


class TemplateError(ValueError):
    """A URI template is not valid; the message names the part and the reason. Raised to authors, never to callers."""


class Variable(NamedTuple):
    """`{name}`, or `{+name}` if `reserved`: its value may contain slashes and any other character of a URI."""

    name: str
    reserved: bool


@dataclass(frozen=True, slots=True)
class UriTemplate:
    """A parsed template. `shape` is equal for two templates that differ only in the names of their variables; for a
    template without variables it is the normal form of its URI."""

    text: str
    variables: tuple[Variable, ...]
    shape: str
    _literals: tuple[str, ...] = field(repr=False)
    _pattern: re.Pattern[str] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> UriTemplate:
        """Parse a template. Raises TemplateError."""
        pieces = _EXPRESSION.split(text)
        literals = tuple(_literal(piece, text) for piece in pieces[::2])
        variables = tuple(_variable(piece, text) for piece in pieces[1::2])
        _check(text, literals, variables)
        literals = (_lower_scheme(literals[0]), *literals[1:])
        shape = literals[0] + "".join(
            ("{+}" if variable.reserved else "{}") + literal
            for variable, literal in zip(variables, literals[1:], strict=True)
        )
        return cls(text, variables, shape, literals, re.compile(_pattern(literals, variables)))

    def match(self, uri: str) -> dict[str, str] | None:
        """The values of the variables in `uri`, percent-decoded; None when it does not match the template.

        Each variable matches as little as possible and is never empty. The result is also None when a value is not
        UTF-8, has control characters, starts with a slash, or has `.` or `..` as a segment.
        """
        normalised = normal(uri)
        match = None if normalised is None else self._pattern.fullmatch(normalised)
        if match is None:
            return None
        values: dict[str, str] = {}
        for variable, raw in zip(self.variables, match.groups(), strict=True):
            value = _decoded(raw)
            if value is None or not _stays_inside(value):
                return None
            values[variable.name] = value
        return values


def normal(uri: str) -> str | None:
    """The normal form of a URI (RFC 3986, 6.2.2); None when it is not a URI, or longer than `MAX_URI`.

    Characters outside ASCII are encoded first (RFC 3987, 3.1), because people type them and clients forward them.
    """
    if len(uri) > MAX_URI or not _SCHEME.match(uri):
        return None
    try:
        return _lower_scheme(_normal_text(uri))
    except ValueError:
        return None


def _lower_scheme(text: str) -> str:
    scheme, colon, rest = text.partition(":")
    return scheme.lower() + colon + rest


def _normal_text(text: str) -> str:
    """Normalise the percent-encoding of a part of a URI. Raises ValueError for characters that no URI may contain."""
    if not text.isascii():
        text = "".join(each if each.isascii() else quote(each, safe="") for each in text)
    if not _TEXT.fullmatch(text):
        raise ValueError("it has a character that no URI may have")
    return _TRIPLET.sub(_normal_triplet, text)


def _normal_triplet(match: re.Match[str]) -> str:
    character = chr(int(match[0][1:], 16))
    return character if re.fullmatch(f"[{_UNRESERVED}]", character) else match[0].upper()


def _literal(text: str, template: str) -> str:
    if not text.isascii() or "{" in text or "}" in text:
        raise TemplateError(f"{template!r}: {text!r} has what no URI may have unencoded (RFC 3986, 2).")
    try:
        return _normal_text(text)
    except ValueError:
        raise TemplateError(f"{template!r}: {text!r} has what no URI may have unencoded (RFC 3986, 2).") from None


def _variable(expression: str, template: str) -> Variable:
    name = expression.removeprefix("+")
    if not (name.isidentifier() and name.isascii()):
        raise TemplateError(
            f"{template!r}: {{{expression}}} is not supported: write {{name}} (RFC 6570, level 1), or {{+name}} for "
            "what may contain slashes. The name is that of a parameter."
        )
    return Variable(name, expression.startswith("+"))


def _check(text: str, literals: tuple[str, ...], variables: tuple[Variable, ...]) -> None:
    if len(text) > MAX_URI:
        raise TemplateError(f"A URI of {len(text)} characters is longer than the {MAX_URI} that are looked at.")
    if not _SCHEME.match(literals[0]):
        raise TemplateError(f"{text!r} has no scheme: write it as in notes://today (RFC 3986, 3.1).")
    names = [variable.name for variable in variables]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise TemplateError(f"{text!r}: {{{repeated[0]}}} stands there twice.")
    if any(not literal for literal in literals[1:-1]):
        raise TemplateError(f"{text!r}: there is nothing between two variables, so nobody can tell them apart.")
    if any(variable.reserved for variable in variables[:-1]):
        raise TemplateError(f"{text!r}: {{+name}} takes all that follows, so it can only be the last variable.")


def _pattern(literals: tuple[str, ...], variables: tuple[Variable, ...]) -> str:
    """Each variable extends to the first match of the next literal, without backtracking: linear for any input."""
    parts = [re.escape(literals[0])]
    before = literals[0]
    for index, (variable, literal) in enumerate(zip(variables, literals[1:], strict=True)):
        character = _ANYWHERE if variable.reserved else _IN_QUERY if "?" in before else _IN_PATH
        last = index == len(variables) - 1
        following = re.escape(literal) + (r"\Z" if last else "")
        parts.append(rf"({character}(?:(?!{following}){character})*+){following}")
        before += literal
    return "".join(parts)


def _decoded(raw: str) -> str | None:
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        return None


def _stays_inside(value: str) -> bool:
    """Whether the value, joined to a directory, stays below that directory. Both kinds of slash separate segments."""
    if value[0] in "/\\" or any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
        return False
    return not {".", ".."} & set(re.split(r"[/\\]", value))


def _encoded(value: str) -> str:
    """RFC 6570, 3.2.3: reserved characters and existing percent-encodings are kept."""
    return re.sub(r"%[0-9A-Fa-f]{2}|[\s\S]", lambda match: match[0] if len(match[0]) > 1 else _quoted(match[0]), value)


def _quoted(character: str) -> str:
    return quote(character, safe=_RESERVED)
