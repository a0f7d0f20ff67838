"""`python -m bench.drink ORDER`: a client that takes all a flooding tool gives.

ORDER is JSON: port, ca (null: HTTP/1.1 in the clear, else HTTP/2 over TLS), path, headers, body. It prints a line when
the first event is there, reads until a line comes in or all is taken, and then prints how many bytes it had.
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
    taken = 0
    while not select.select([sys.stdin], [], [], 0)[0] and (data := wire.socket.recv(1 << 20)):
        taken += len(data)
    print(taken, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
