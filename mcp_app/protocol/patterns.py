"""Regular expressions over texts that a caller chose, in time linear in the text, by Rust's engine that pydantic has.

Python's `re` tries every way to match: `^(a+)+$` over 40 letters takes hours. No schema is read here.
"""

from __future__ import annotations

from functools import lru_cache

from pydantic_core import SchemaError, SchemaValidator
from pydantic_core.core_schema import str_schema


def may_match(pattern: str, text: str) -> bool:
    """Whether the pattern is found in the text; True for one of another dialect, such as with a look-ahead."""
    validator = _compiled(pattern)
    return validator is None or validator.isinstance_python(text)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> SchemaValidator | None:
    try:
        return SchemaValidator(str_schema(pattern=pattern, regex_engine="rust-regex"))
    except SchemaError:
        return None
