"""`python -m bench.drink ORDER`: a client that takes all a flooding tool gives, and calls it again when it is done.

ORDER is JSON: port, ca (null: HTTP/1.1 in the clear, else HTTP/2 over TLS), path, headers, body, last (what only the
last event has). It prints a line when the first event is there, reads until a line comes in, and then prints how many
bytes it had. It does not decode what it reads: that would slow the flood down.
"""

from __future__ import annotations

import json
import select
import sys
from pathlib import Path

from .dialects import Call
from .wire import dial


def main(order: str) -> None:
    asked = json.loads(order)
    wire = dial(asked["port"], Path(asked["ca"]) if asked["ca"] else None)
    call = Call(asked["path"], tuple((name, value) for name, value in asked["headers"]), asked["body"].encode())
    wire.until(wire.post(call), b"data:")
    print("flooded", flush=True)
    taken, last, tail = 0, asked["last"].encode(), b""
    while not select.select([sys.stdin], [], [], 0)[0] and (data := wire.socket.recv(1 << 20)):
        taken += len(data)
        tail = tail[-len(last) :] + data
        if last in tail:
            wire.post(call)
            tail = b""
    print(taken, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
