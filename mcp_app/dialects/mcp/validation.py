"""Validates a request's parameters against the schema of its revision; the error names each invalid field.

Which methods a server offers is not known here, and no message is answered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ...protocol.mcp.jsonrpc import MAX_ID_CHARS, Code, RpcError, read_id
from ...protocol.mcp.params import validator
from ...protocol.problems import problems


def validate(method: str, params: Mapping[str, Any], version: str) -> None:
    """Raises RpcError with INVALID_PARAMS, which names each invalid field; KeyError for a method that the revision does
    not have.

    An optional field that is null counts as absent: some languages cannot express it otherwise.
    """
    try:
        validator(method, version).validate_python(params)
    except ValidationError as error:
        raise _refusal(problems(error, "params")) from None
    token = (params.get("_meta") or {}).get("progressToken")
    if token is not None and read_id(token) is None:  # the schemas accept true as 1; and the token is echoed like an id
        problem = f"Input should be a string of at most {MAX_ID_CHARS} characters or a 64-bit integer"
        raise _refusal([{"field": "params._meta.progressToken", "problem": problem}])


def _refusal(details: list[dict[str, str]]) -> RpcError:
    message = " ".join(f"{json.dumps(each['field'])}: {each['problem']}." for each in details)
    return RpcError(Code.INVALID_PARAMS, message, data={"details": details})
