"""What a worker has from its supervisor: its number, and file descriptors; as one word on its command line.

What is said on the control socket is in `control`.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from typing import NamedTuple, Self

from hypercorn.config import Config, Sockets

from ..addresses import bind_of
from ..configuration import without_tls
from ..errors import StartError


class Inheritance(NamedTuple):
    """A worker's number, from 1 on, and how many there are; whether it says where they serve; and descriptors."""

    number: int
    of: int
    announces: bool
    control: int
    connections: int
    pages: int
    secure: tuple[int, ...]
    insecure: tuple[int, ...]
    admin: tuple[int, ...]

    def word(self) -> str:
        """For the command line."""
        return json.dumps(self._asdict(), separators=(",", ":"))

    @classmethod
    def read(cls, word: str) -> Self:
        """Raises ValueError for what no supervisor has written."""
        try:
            fields = json.loads(word)
            return cls(**fields | {name: tuple(fields[name]) for name in ("secure", "insecure", "admin")})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the word of a supervisor: {word}") from error

    def adopt(self, config: Config) -> Sockets:
        """The listening sockets. `config` is set to what they are, whatever its file says by now.

        Raises StartError if they were bound for TLS, and there is no certificate any more.
        """
        if self.secure and not config.ssl_enabled:
            raise StartError(
                "the addresses were bound for TLS, and the configuration has no certificate any more: restart the whole"
            )
        sockets = Sockets(opened(self.secure), opened(self.insecure), [])
        secure = [bind_of(sock) for sock in sockets.secure_sockets]
        insecure = [bind_of(sock) for sock in sockets.insecure_sockets]
        if secure:
            config.bind, config.insecure_bind = secure, insecure
        else:
            config.bind = insecure
            without_tls(config)
        return sockets


def opened(descriptors: Iterable[int]) -> list[socket.socket]:
    """Listening sockets, kept to this process."""
    sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    for sock in sockets:
        sock.set_inheritable(False)
    return sockets
