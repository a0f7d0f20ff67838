"""What the fixes that keep HTTP/2 streams away from the application share. Which streams, each of them says."""

from __future__ import annotations

from collections.abc import Collection

from h2.events import DataReceived, Event
from hypercorn.protocol.h2 import H2Protocol


def without_streams(protocol: H2Protocol, events: list[Event], dropped: Collection[int]) -> list[Event]:
    """`events` but for those of the `dropped` streams, whose DATA is acknowledged.

    It counts against the connection's window all the same (RFC 9113, 6.9): without this, a client whose requests were
    dropped with 64 KiB of bodies could send no body any more on its connection.
    """
    for event in events:
        if isinstance(event, DataReceived) and event.stream_id in dropped:
            protocol.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
    return [event for event in events if getattr(event, "stream_id", None) not in dropped]
