"""Settings from environment variables: a pydantic base class that reads its fields from the environment.

No file is read here, and no other part of the package is known.
"""

from __future__ import annotations

import os
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator


class FromEnvironment(BaseModel):
    """Settings whose fields default to environment variables.

    The variable of a field is `environment_prefix` plus the field's name, case-insensitive. Its text is validated like
    an argument; a field of several values needs a validator that accepts text. Unknown arguments are rejected, and
    the settings are immutable. Raises pydantic's ValidationError, which names the fields.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    environment_prefix: ClassVar[str] = ""

    @model_validator(mode="before")
    @classmethod
    def _add_environment(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values  # an instance of this class
        texts = {name.upper(): text for name, text in os.environ.items()}
        names = {field: (cls.environment_prefix + field).upper() for field in cls.model_fields}
        return {field: texts[name] for field, name in names.items() if name in texts} | values
