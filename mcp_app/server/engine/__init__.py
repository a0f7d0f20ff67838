"""The serving engine: subclasses of Hypercorn 0.18's classes that fix its defects and cost less per request and write.

Each class documents the defect it fixes and the upstream thread; docs/hypercorn-defects.md lists them all. The entry
point is `worker.serve`. Importing the package changes nothing in Hypercorn; only `install()` replaces anything.

Where to look:

- accept, shutdown, signals: `worker` (`serve`, `_shut_down`); the application is notified first: `draining`
- one TCP connection: `connection.Connection` (read, write, close), `writer.ConnectionWriter`, `idle.IdleTimer`
- HTTP/1.1: `http1.Http1`, its requests: `http1_requests.RequestParser`
- one request's ASGI messages, on either version: `streams.RequestStream`
- HTTP/2 received events: `http2.Http2._handle_events`; refusal: `_refuse_streams`; 400: `_refuse_malformed`;
  how many frames, and of which kind: `http2_frames`; how many streams: `http2_streams`
- HTTP/2 sent frames: `http2_sending.Http2Sender`; every RST_STREAM of the engine goes through its `_reset_stream`
- GOAWAY received: `H2Protocol._handle_events` closes the connection. Sent: before an idle connection is closed, by
  `Http2Sender.send_goaway`; when the last stream ends during shutdown, by `H2Protocol.stream_send`; after
  `keep_alive_max_requests`, by `H2Protocol._handle_events`; and on a connection error by h2, in `Http2._receive`
"""

from __future__ import annotations

__all__ = ["install"]


def install() -> None:
    """Make Hypercorn's own command, and its `serve()`, use this engine in this process.

    For the module that `hypercorn module:app` names: Hypercorn looks up both names after importing that module, in
    each of its worker processes. A server that is already running is not changed. This covers Hypercorn's asyncio and
    uvloop workers, not trio's.
    """
    import hypercorn.asyncio
    import hypercorn.asyncio.run

    from .worker import run_worker, worker_serve

    hypercorn.asyncio.run._run = run_worker
    hypercorn.asyncio.run.worker_serve = worker_serve
    hypercorn.asyncio.worker_serve = worker_serve  # type: ignore[attr-defined]
