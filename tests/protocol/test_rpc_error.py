"""JSON-RPC errors: their bytes, MCP's codes, and that each error of ours has one."""

from __future__ import annotations

import json
from collections.abc import Iterator

import mcp_types.jsonrpc as official
import pytest

from mcp_app.protocol import caller_errors, error_root, errors, run_errors
from mcp_app.protocol.asking import UrlRequired
from mcp_app.protocol.errors import McpAppError, RequestError
from mcp_app.protocol.mcp.rpc_error import RPC_CODES, Code, RpcError, error, rpc_error

MODULES = {module.__name__ for module in (errors, caller_errors, error_root, run_errors)}


def ours(root: type[McpAppError] = McpAppError) -> Iterator[type[McpAppError]]:
    for each in root.__subclasses__():
        if each.__module__ in MODULES:
            if hasattr(each, "code"):
                yield each
            yield from ours(each)


ALL = list(ours())


# --- codes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "official_code"),
    [
        (Code.PARSE_ERROR, official.PARSE_ERROR),
        (Code.INVALID_REQUEST, official.INVALID_REQUEST),
        (Code.METHOD_NOT_FOUND, official.METHOD_NOT_FOUND),
        (Code.INVALID_PARAMS, official.INVALID_PARAMS),
        (Code.INTERNAL_ERROR, official.INTERNAL_ERROR),
        (Code.HEADER_MISMATCH, official.HEADER_MISMATCH),
        (Code.MISSING_CLIENT_CAPABILITY, official.MISSING_REQUIRED_CLIENT_CAPABILITY),
        (Code.UNSUPPORTED_PROTOCOL_VERSION, official.UNSUPPORTED_PROTOCOL_VERSION),
        (Code.URL_ELICITATION_REQUIRED, official.URL_ELICITATION_REQUIRED),
    ],
)
def test_the_codes_are_those_of_the_official_types(code: Code, official_code: int) -> None:
    assert code == official_code


def test_no_code_is_invented_in_the_ranges_that_are_reserved() -> None:
    # MCP 2026-07-28, basic/index, Error Codes: -32020 to -32099 is MCP's, -32000 to -32019 nobody's any more.
    assert {code for code in Code if -32099 <= code <= -32000} == {-32020, -32021, -32022, -32002, -32042}


# --- bytes -----------------------------------------------------------------------------------------------------------


def test_the_examples_of_the_specification() -> None:
    assert json.loads(error(1, Code.HEADER_MISMATCH, "Header mismatch: …")) == {
        "jsonrpc": "2.0",
        "id": 1,
        "error": {"code": -32020, "message": "Header mismatch: …"},
    }
    data = {"supported": ["2026-07-28", "2025-11-25"], "requested": "1900-01-01"}
    problem = RpcError(Code.UNSUPPORTED_PROTOCOL_VERSION, "Unsupported protocol version", id=1, data=data)
    assert json.loads(problem.encode()) == {
        "jsonrpc": "2.0",
        "id": 1,
        "error": {"code": -32022, "message": "Unsupported protocol version", "data": data},
    }


def test_an_error_without_an_id_has_no_member_of_that_name() -> None:
    # MCP's schema: `id?: string | number`. null, as in JSON-RPC 2.0 (5), would not be valid.
    assert error(None, -32700, "no") == b'{"jsonrpc":"2.0","error":{"code":-32700,"message":"no"}}'


def test_data_that_is_false_is_sent() -> None:
    assert error(0, 1, "", b"false") == b'{"jsonrpc":"2.0","id":0,"error":{"code":1,"message":"","data":false}}'
    assert json.loads(RpcError(1, "", data=0).encode())["error"]["data"] == 0
    assert "data" not in json.loads(RpcError(1, "").encode())["error"]


# --- our errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL)
def test_every_error_has_its_row(kind: type[McpAppError]) -> None:
    assert kind in RPC_CODES


def test_the_table_knows_nothing_else() -> None:
    assert set(RPC_CODES) == {*ALL, RequestError, McpAppError, UrlRequired}


@pytest.mark.parametrize("kind", ALL)
def test_every_error_as_json_rpc(kind: type[McpAppError]) -> None:
    details = [{"field": "a", "problem": "b"}]
    if kind is errors.InsufficientScope:  # which makes its own words of the scopes
        told: McpAppError = errors.InsufficientScope(["read"])
        assert json.loads(rpc_error(told, 7).encode())["error"]["data"] == told.object()
        return
    told = kind("It is so.", hint="Do this.", details=details, error_id="e-1", headers={"Retry-After": "1"})
    seen = rpc_error(told, 7)
    assert json.loads(seen.encode()) == {
        "jsonrpc": "2.0",
        "id": 7,
        "error": {"code": RPC_CODES[kind][0], "message": "It is so.", "data": told.object()},
    }
    assert seen.headers == {"Retry-After": "1"}


@pytest.mark.parametrize("kind", ALL)
def test_the_statuses_mean_to_a_client_what_they_say(kind: type[McpAppError]) -> None:
    status = RPC_CODES[kind][1]
    if issubclass(kind, errors.RunError | errors.ToolError):
        assert status == 200
    else:
        assert status in (kind.status, 400)
    # To a client of MCP 404 is an unknown method, an ended session or an older server, 405 an older server.
    if kind not in (errors.UnknownRoute, errors.MethodNotAllowed):
        assert status not in (404, 405)


def test_an_error_of_somebody_else_has_its_ancestors_row() -> None:
    class Teapot(errors.UnknownTool):
        code = "teapot"

    class Stranger(McpAppError):
        code = "stranger"
        status = 418

    assert rpc_error(Teapot("short and stout")).code == Code.INVALID_PARAMS
    assert (rpc_error(Stranger("who?")).code, rpc_error(Stranger("who?")).status) == (Code.INTERNAL_ERROR, 500)
