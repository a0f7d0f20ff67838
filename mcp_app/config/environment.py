"""Settings from environment variables: a pydantic model whose fields are found there. Which fields is its own affair.

No file is read, and nothing of the package is known here.
"""

from __future__ import annotations

import os
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator


class FromEnvironment(BaseModel):
    """Settings of which each field that is not given is taken from the environment, where it is set there.

    The variable of a field is `environment_prefix` and the field's name, in any case. Its text is validated as what is
    given is; a field that is more than one value needs a validator that takes text. Unknown names are refused, and
    nothing is changed later. Raises pydantic's ValidationError, which names the fields.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    environment_prefix: ClassVar[str] = ""

    @model_validator(mode="before")
    @classmethod
    def _of_the_environment(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given  # one of these already
        texts = {name.upper(): text for name, text in os.environ.items()}
        names = {field: (cls.environment_prefix + field).upper() for field in cls.model_fields}
        return {field: texts[name] for field, name in names.items() if name in texts} | given
