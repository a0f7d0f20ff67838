"""The source of Hypercorn, h11, h2 and hpack that our engine overrides, copies or counts on, as it was read.

When this fails Hypercorn, or a library below it, has moved. For each method that is named: read its difference from
the version in `worker.TESTED`, then what stands in its place in mcp_app/server/engine; run tests/server, where each
defect is shown as released beside its absence. One that upstream has fixed goes, with its tests ("as_released" fails
then) and its row in docs/hypercorn-defects.md. Then write the new fingerprint here and the new version there.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from importlib.metadata import version
from typing import Any

import h2.connection
import h11
import h11._readers
import h11._receivebuffer
import hypercorn.asyncio.run
import hypercorn.asyncio.task_group
import hypercorn.protocol
import hypercorn.protocol.h2
import hypercorn.protocol.h11
import hypercorn.protocol.http_stream
import pytest

from mcp_app.server import engine
from mcp_app.server.engine import worker

FOREIGN = ("hypercorn", "h11", "h2", "hpack")

COUNTED_ON: tuple[Callable[..., Any], ...] = (
    # Done in another way, not overridden: what serves, what the wrapper chooses, what runs an application.
    hypercorn.asyncio.run.worker_serve,
    hypercorn.asyncio.run._run,
    hypercorn.asyncio.run.asyncio_worker,
    hypercorn.asyncio.run.uvloop_worker,
    hypercorn.asyncio.task_group._handle,
    hypercorn.protocol.ProtocolWrapper.__init__,
    hypercorn.protocol.ProtocolWrapper.handle,
    # Called around ours, which rely on what it looks at and in which order.
    hypercorn.protocol.h11.H11Protocol._handle_events,
    hypercorn.protocol.h11.H11Protocol._close_stream,
    hypercorn.protocol.h2.H2Protocol.handle,
    hypercorn.protocol.h2.H2Protocol.initiate,
    hypercorn.protocol.h2.H2Protocol.send_task,
    hypercorn.protocol.h2.H2Protocol._close_stream,
    hypercorn.protocol.h2.StreamBuffer.close,
    hypercorn.protocol.http_stream.HTTPStream.handle,
    hypercorn.protocol.http_stream.HTTPStream._send_closed,
    h2.connection.H2Connection.receive_data,
    h2.connection.H2Connection._prepare_for_sending,
    h2.connection.H2Connection.close_connection,
    h11.Connection._process_event,
    h11.Connection.next_event,
    h11.Connection.send,
    h11._readers.maybe_read_from_IDLE_client,
    h11._readers.ChunkedReader.__call__,
    h11._receivebuffer.ReceiveBuffer._extract,
)

FINGERPRINTS: dict[str, str] = {
    "h11._connection.Connection.__init__": "d7d7aae703ba016a",
    "h11._connection.Connection._extract_next_receive_event": "c0fc7051975f7a5b",
    "h11._connection.Connection._process_event": "34a61e13cd672ae1",
    "h11._connection.Connection.next_event": "7d3288bcc261c49c",
    "h11._connection.Connection.send": "cd6b139277cf57fa",
    "h11._readers.ChunkedReader.__call__": "2618d847a89a1505",
    "h11._readers.maybe_read_from_IDLE_client": "b0ae12d92b2c4db9",
    "h11._receivebuffer.ReceiveBuffer.__init__": "e12e530df7b8d32a",
    "h11._receivebuffer.ReceiveBuffer._extract": "9f46b67fb9e57164",
    "h11._receivebuffer.ReceiveBuffer.is_next_line_obviously_invalid_request_line": "b0ce1e678ef45ed2",
    "h11._receivebuffer.ReceiveBuffer.maybe_extract_lines": "435e54e6db463e31",
    "h11._receivebuffer.ReceiveBuffer.maybe_extract_next_line": "9168fb542344ec1a",
    "h2.connection.H2Connection._prepare_for_sending": "6be16b5970454a30",
    "h2.connection.H2Connection.close_connection": "fe6defce0899d36b",
    "h2.connection.H2Connection.receive_data": "4470c8fafce8153a",
    "h2.frame_buffer.FrameBuffer.__init__": "ab6a71fc0d0c5014",
    "h2.frame_buffer.FrameBuffer.__next__": "54792a1319f7ef52",
    "h2.frame_buffer.FrameBuffer._update_header_buffer": "e32970a56626afcc",
    "hpack.hpack.Decoder._decode_literal_no_index": "59623ee1c80cfb39",
    "hpack.hpack.Decoder.__init__": "632316edd0f1f11e",
    "hpack.hpack.Decoder.decode": "b5696a4fb741c7c4",
    "hpack.hpack.Encoder.__init__": "2e55e688e954627c",
    "hpack.hpack.Encoder.add": "1d6a1a43f3001984",
    "hypercorn.asyncio.run._run": "67e1818ff20a1d97",
    "hypercorn.asyncio.run.asyncio_worker": "aeaa34f76d6517d3",
    "hypercorn.asyncio.run.uvloop_worker": "1e16d055ad2d7cc9",
    "hypercorn.asyncio.run.worker_serve": "ae30269c42b95442",
    "hypercorn.asyncio.task_group.TaskGroup.__init__": "d0308d90a9c76edf",
    "hypercorn.asyncio.task_group.TaskGroup.spawn_app": "6606faaadfc368e3",
    "hypercorn.asyncio.task_group._handle": "e37cfe3db06eb470",
    "hypercorn.asyncio.tcp_server.TCPServer.__init__": "95a6f196b96bfa92",
    "hypercorn.asyncio.tcp_server.TCPServer._close": "ea76225e14315206",
    "hypercorn.asyncio.tcp_server.TCPServer._read_data": "8e7ad8f4bfca2fd2",
    "hypercorn.asyncio.tcp_server.TCPServer.protocol_send": "06144915fc094c1b",
    "hypercorn.asyncio.tcp_server.TCPServer.run": "9437d01a916d887b",
    "hypercorn.asyncio.worker_context.WorkerContext.__init__": "052341c5f32e0133",
    "hypercorn.protocol.ProtocolWrapper.__init__": "df25e181b9e2e64d",
    "hypercorn.protocol.ProtocolWrapper.handle": "b03e2962872c85e8",
    "hypercorn.protocol.h11.H11Protocol.__init__": "c7c989fd6a352626",
    "hypercorn.protocol.h11.H11Protocol._check_protocol": "f95f6b38f43c62aa",
    "hypercorn.protocol.h11.H11Protocol._close_stream": "378930655d7bb41a",
    "hypercorn.protocol.h11.H11Protocol._create_stream": "a2338a57ab343908",
    "hypercorn.protocol.h11.H11Protocol._handle_events": "bd4a76b2837e8722",
    "hypercorn.protocol.h11.H11Protocol._maybe_recycle": "3ac53f52bc4e65de",
    "hypercorn.protocol.h11.H11Protocol._send_error_response": "58c2b47ae295d000",
    "hypercorn.protocol.h11.H11Protocol.handle": "3b56e067447488df",
    "hypercorn.protocol.h11.H11Protocol.stream_send": "56a36254a368d71a",
    "hypercorn.protocol.h2.H2Protocol.__init__": "d577a96e2eb647a4",
    "hypercorn.protocol.h2.H2Protocol._close_stream": "a292549791640b65",
    "hypercorn.protocol.h2.H2Protocol._create_stream": "91eb123ddf247ede",
    "hypercorn.protocol.h2.H2Protocol._handle_events": "3378aef0a2348f0d",
    "hypercorn.protocol.h2.H2Protocol._send_data": "a89ce4286f369820",
    "hypercorn.protocol.h2.H2Protocol.handle": "c67e89eb79af9032",
    "hypercorn.protocol.h2.H2Protocol.initiate": "fc365390735cd1b9",
    "hypercorn.protocol.h2.H2Protocol.send_task": "3f55a53766403935",
    "hypercorn.protocol.h2.H2Protocol.stream_send": "d8fc824e2770ba5c",
    "hypercorn.protocol.h2.StreamBuffer.close": "f6a32abdf98270c5",
    "hypercorn.protocol.h2.StreamBuffer.pop": "9eb73c8833891346",
    "hypercorn.protocol.h2.StreamBuffer.push": "4ca8ee7b0fec5200",
    "hypercorn.protocol.http_stream.HTTPStream._send_closed": "9aaf2e1ac611e51c",
    "hypercorn.protocol.http_stream.HTTPStream.app_send": "c806044b99736985",
    "hypercorn.protocol.http_stream.HTTPStream.handle": "6ed2e34c5e708c6a",
}


def overridden() -> Iterator[Callable[..., Any]]:
    """Each foreign method in whose place is one of ours."""
    for module in pkgutil.iter_modules(engine.__path__):
        for ours in vars(importlib.import_module(f"{engine.__name__}.{module.name}")).values():
            if inspect.isclass(ours) and ours.__module__.startswith(engine.__name__) and not is_dataclass(ours):
                for name in vars(ours):
                    parent = next((each for each in ours.__mro__[1:] if name in vars(each)), object)
                    if parent.__module__.split(".")[0] in FOREIGN and inspect.isfunction(vars(parent)[name]):
                        yield vars(parent)[name]


def name_of(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def fingerprint(function: Callable[..., Any]) -> str:
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16]


def test_what_the_engine_was_written_for_reads_as_it_did() -> None:
    assert {name_of(each): fingerprint(each) for each in (*overridden(), *COUNTED_ON)} == FINGERPRINTS, __doc__


def test_the_version_that_is_installed_is_the_one_that_was_tested() -> None:
    assert version("hypercorn") in worker.TESTED


@pytest.mark.parametrize(
    "name", ["H2Protocol._handle_events", "TCPServer.run", "HTTPStream.app_send", "Decoder.decode"]
)
def test_what_is_overridden_is_found(name: str) -> None:
    assert any(name_of(each).endswith(name) for each in overridden())
