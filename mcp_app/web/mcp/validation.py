"""A request's parameters against the schema of its revision: what is wrong is named, field by field.

Which methods a server has is not known here, and no message is answered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mcp_types.methods import validate_client_request
from pydantic import ValidationError

from ...protocol.jsonrpc import Code, RpcError
from ...protocol.plain import problems


def validate(method: str, params: Mapping[str, Any], version: str) -> None:
    """Raises RpcError with INVALID_PARAMS, naming each field. KeyError for a method that the revision does not have."""
    try:
        validate_client_request(method, version, params)
    except ValidationError as error:
        details = problems(error)
        shown = json.dumps(details[0]["field"])
        raise RpcError(Code.INVALID_PARAMS, f"{shown}: {details[0]['problem']}.", data={"details": details}) from None
