"""What is wrong with a setting, in one line for its operator: the variable, its value and what it should be.

Nothing is printed here, and whether it stops the start is decided elsewhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from .environment import FromEnvironment
from .settings import Settings

_USER = re.compile(r"//[^/?#@]*@")
"""User and password in a URL: a terminal and a log are no place for them."""


def problem(error: ValidationError, settings: type[FromEnvironment] = Settings) -> str:
    """The first thing that is wrong, by the name of its environment variable."""
    return _sentence(error.errors(include_url=False)[0], settings)


def invalid_for_tools() -> str | None:
    """What is wrong with the first variable that a tool's own settings will not take; None if there is none.

    They are read when the tool is called: a misspelt number would start, and fail every call.
    """
    names = {name.upper() for name in os.environ}
    for settings in _of_tools(FromEnvironment):
        try:
            settings()
        except ValidationError as error:
            for each in error.errors(include_url=False):
                if _variable(each, settings) in names:  # one that is missing may be an argument
                    return _sentence(each, settings)
    return None


def _of_tools(settings: type[FromEnvironment]) -> Iterator[type[FromEnvironment]]:
    for each in settings.__subclasses__():
        if each is not Settings and each.environment_prefix:
            yield each
        yield from _of_tools(each)


def _variable(error: ErrorDetails, settings: type[FromEnvironment]) -> str:
    """Of `hosts.2` as well: the whole of `hosts` stands in one variable."""
    return (settings.environment_prefix + str(error["loc"][0] if error["loc"] else "")).upper()


def _sentence(error: ErrorDetails, settings: type[FromEnvironment]) -> str:
    text = error["msg"].removeprefix("Value error, ")
    name = _variable(error, settings)
    # What is wrong with a secret is said without it; what is wrong between settings, or names its own, needs no value.
    if isinstance(error["input"], SecretStr) or not error["loc"] or text.startswith(name):
        return text
    return f"{name}={_shown(error['input'])}: {text}"


def _shown(value: Any) -> str:
    written = ", ".join(value) if isinstance(value, tuple) else value  # as it stands in the variable
    return _USER.sub("//…@", repr(written))
