"""A request's parameters against the schema of its revision: what is wrong is named, field by field.

Which methods a server has is not known here, and no message is answered.
"""

from __future__ import annotations

import json

from mcp_types.methods import validate_client_request
from pydantic import ValidationError

from ...protocol import jsonrpc
from ...protocol.jsonrpc import Code, RpcError
from ...protocol.plain import problems


def validate(message: jsonrpc.Request, version: str) -> None:
    """Raises RpcError with INVALID_PARAMS, naming each field. KeyError for a method that the revision does not have."""
    try:
        validate_client_request(message.method, version, message.params)
    except ValidationError as error:
        details = problems(error)
        shown = json.dumps(details[0]["field"])
        raise RpcError(Code.INVALID_PARAMS, f"{shown}: {details[0]['problem']}.", data={"details": details}) from None
