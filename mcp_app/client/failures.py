"""Transport and protocol errors as `CallFailed`: one line of what happened, and one of what to do.

Only messages and exit statuses: nothing is sent, read or printed here.
"""

from __future__ import annotations

import os
import socket
import ssl
from typing import TypeVar

import httpx

from mcp_app.client import message as wire
from mcp_app.client.outcome import CallFailed, Status, status_of_answer

# Characters quoted from an unexpected answer: enough to recognise a proxy's or another server's page.
_QUOTED = 80

_LARGE_BODY = 1024 * 1024
"""What servers of this kind take. One that is sent much more may cut it off before its client has read why."""

_E = TypeVar("_E", bound=BaseException)


def unreachable(url: str, error: Exception) -> CallFailed:
    """No response was received from `url` because of `error`."""
    certificate = _cause(error, ssl.SSLCertVerificationError)
    if certificate is not None:
        return CallFailed(
            Status.UNREACHABLE,
            f"the certificate of {url} is not trusted: {certificate.verify_message}",
            "Name the file of the CA that signed it: --cacert FILE (of your own server: the ca.pem of mcp-app certs).",
        )
    if _cause(error, ssl.SSLError) is not None:
        return CallFailed(
            Status.UNREACHABLE, f"{url} does not speak TLS as it should: {_text(error)}", "Is it an http:// port?"
        )
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError):
        advice = "If the port is for https, begin the URL with https://." if url.startswith("http:") else ""
        if (size := _body_bytes(error)) > _LARGE_BODY:
            advice = f"It may not take a body of {size} bytes: send less, or a reference to the data."
        return CallFailed(Status.UNREACHABLE, f"{url} closed the connection without an answer", advice)
    if isinstance(error, httpx.ConnectTimeout):
        return CallFailed(Status.UNREACHABLE, f"{url} does not answer", "Check the host and port, and the network.")
    return CallFailed(
        Status.UNREACHABLE, f"{url} cannot be reached: {_text(error)}", "Is the server running, and the port right?"
    )


def refused(response: httpx.Response, body: bytes) -> CallFailed:
    """A response that is neither 200 nor a stream, with its complete body."""
    error = wire.error_of(wire.parse_answer(body))
    status = status_of_answer(response.status_code, error.code if error else None)
    if error is not None:
        later = response.headers.get("retry-after")
        details = [f"{detail}." for detail in error.details]
        advice = " ".join([*details, error.hint, *([f"Retry-After: {later} s."] if later else [])]).strip()
        return CallFailed(status, f"{error.code}: {error.message}", advice)
    if response.is_redirect:
        target = response.headers.get("location", "")
        return CallFailed(
            Status.UNREACHABLE, f"{response.url} redirects to {target}", "Call that URL, if you trust it."
        )
    if "jsonrpc" in (wire.parse_answer(body) or {}):
        root = response.url.copy_with(path="/", query=None)
        return CallFailed(status, f"{response.url} speaks MCP, not this protocol", f"Give the server's root: {root}")
    return CallFailed(status, f"{response.url} answered {response.status_code} and no error object", _WRONG_URL)


def not_ours(response: httpx.Response, data: str | None = None) -> CallFailed:
    """A response that is not the plain dialect's: a page, another stream, an object without a type."""
    if data is not None:
        what = f"events that are not of this kind: {data[:_QUOTED]!r}"
    else:
        kind = response.headers.get("content-type", "").partition(";")[0].strip() or "an answer without a type"
        what = {"text/html": "a web page"}.get(kind, f"{kind} that is not of this kind")
    return CallFailed(Status.UNREACHABLE, f"{response.url} answered with {what}", _WRONG_URL)


_WRONG_URL = "Check the URL: the server's root with a / at its end, or its event route."


def not_json(url: str) -> CallFailed:
    """A stream in response to a request that accepts only JSON."""
    return CallFailed(
        Status.UNREACHABLE, f"{url} answered with a stream although JSON was asked for", "Call it without --json."
    )


def lost(run_id: str | None) -> CallFailed:
    """The stream ended without a last event."""
    run = f" (run {run_id})" if run_id else ""
    return CallFailed(
        Status.LOST,
        f"the stream was cut before its last event{run}",
        "The server or a proxy closed the connection; what the tool has done until then is done.",
    )


def silent(run_id: str | None, seconds: float, *, started: bool) -> CallFailed:
    """Nothing was received for `seconds`."""
    if not started:
        return CallFailed(
            Status.UNREACHABLE,
            f"no answer within {seconds:g} s",
            "With --json the answer comes at the end: say how long it may take with --cap-seconds.",
        )
    run = f" (run {run_id})" if run_id else ""
    return CallFailed(
        Status.LOST,
        f"nothing came for {seconds:g} s, not even a heartbeat{run}",
        "The network or the server is gone; the server ends the run when it notices.",
    )


def _body_bytes(error: Exception) -> int:
    """The size of the body that was being sent; 0 if it is not known."""
    try:
        return int(error.request.headers.get("content-length", 0)) if isinstance(error, httpx.RequestError) else 0
    except RuntimeError:  # httpx's, for an error that belongs to no request
        return 0


def _cause(error: BaseException, kind: type[_E]) -> _E | None:
    current: BaseException | None = error
    while current is not None:
        if isinstance(current, kind):
            return current
        current = current.__cause__ or current.__context__
    return None


def _text(error: BaseException) -> str:
    """The operating system's message if there is one: "All connection attempts failed" does not say why."""
    inner: BaseException | None = error
    reason = ""
    while inner is not None:
        if isinstance(inner, socket.gaierror):
            reason = inner.strerror or reason
        elif isinstance(inner, OSError) and inner.errno:
            reason = os.strerror(inner.errno)  # asyncio's own message only repeats the address
        # One attempt for each address of the host name; the last one stands for all.
        group = inner.exceptions[-1] if isinstance(inner, BaseExceptionGroup) else None
        inner = group or inner.__cause__ or inner.__context__
    return reason or str(error).strip() or type(error).__name__
