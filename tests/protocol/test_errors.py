"""The errors as callers see them: each class with its code, status and hint, and nothing of the process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mcp_app.protocol import caller_errors, error_root, errors, run_errors
from mcp_app.protocol.errors import InsufficientScope, McpAppError, RequestError, RunError, ToolError, ToolFailed
from mcp_app.protocol.event import encode

MODULES = {module.__name__ for module in (errors, caller_errors, error_root, run_errors)}


def concrete(root: type[McpAppError]) -> Iterator[type[McpAppError]]:
    for each in root.__subclasses__():
        if each.__module__ in MODULES:
            if hasattr(each, "code"):
                yield each
            yield from concrete(each)


ALL = list(concrete(McpAppError))


@pytest.mark.parametrize("each", [each for each in ALL if each is not InsufficientScope])
def test_every_error_can_be_shown(each: type[McpAppError]) -> None:
    shown = each("It is so.").object()
    assert list(shown) == ["code", "message", "hint"]
    assert shown["message"] == "It is so."
    assert shown["hint"] or each is ToolError  # whether other parameters would help only its author knows
    assert 400 <= each.status <= 599
    assert each.code == each.code.lower().replace(" ", "_")
    assert each.__doc__


def test_what_lacks_scopes_names_them() -> None:
    shown = InsufficientScope(["write", "read"]).object()
    assert list(shown) == ["code", "message", "hint", "scopes"]
    assert (shown["message"], shown["scopes"]) == ("This needs the scopes: read write.", ["read", "write"])


def test_a_code_means_one_thing() -> None:
    codes = [each.code for each in ALL]
    # But for a tool that failed: by its author's word or by accident, to a program it is the same.
    assert {code for code in codes if codes.count(code) > 1} == {"tool_failed"}
    assert ToolError.status == ToolFailed.status


@pytest.mark.parametrize(("root", "statuses"), [(RequestError, range(400, 504)), (RunError, (401, 409, 500, 503, 504))])
def test_the_statuses_of_a_branch(root: type[McpAppError], statuses: range) -> None:
    assert {each.status for each in concrete(root)} <= set(statuses)


@pytest.mark.parametrize("abstract", [McpAppError, RequestError, RunError])
def test_what_has_no_code_is_not_raised(abstract: type[McpAppError]) -> None:
    with pytest.raises(TypeError, match="abstract"):
        abstract("x")


def test_everything_that_can_be_said() -> None:
    error = errors.InvalidParams(
        "m", hint="h", details=[{"field": "f", "problem": "p"}], error_id="id", headers={"Allow": "GET"}
    )
    assert error.object() == {
        "code": "invalid_params",
        "message": "m",
        "hint": "h",
        "details": [{"field": "f", "problem": "p"}],
        "error_id": "id",
    }
    assert error.headers == {"Allow": "GET"}
    assert str(error) == "m"
    assert errors.InvalidParams("m", hint="").object()["hint"] == ""
    assert errors.InvalidParams.hint, "one error's hint is not another's"


def test_an_exception_as_message_is_its_text() -> None:
    assert encode(ToolError(ValueError("x")).object())  # type: ignore[arg-type]
    assert ToolError(ValueError("x")).object()["message"] == "x"  # type: ignore[arg-type]
