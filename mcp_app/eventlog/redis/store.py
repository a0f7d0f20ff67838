"""What the parts of the log share: the client, the bells, the cipher, and the names of keys and channels.

Keys, behind the prefix. Braces are a Cluster's hash tags: what is between them decides the slot, so that all keys and
the channel of one run, and all of one node, are together.

    nodes                      set: the ids of all nodes that have joined, and are not yet tidied up
    node:{ID}:lease            there as long as the lease lasts: Redis itself lets it expire
    node:{ID}:runs             set: the runs that this node works on
    node:{ID}:messages         stream
    run:{ID}  run:{ID}:entries hash, stream
    document:NAME              hash
    {ended}:…                  the list of runs that have ended: store_ended.py

The channel of a run, and of a node, has the name of its first key.
"""

from __future__ import annotations

from typing import NamedTuple

from .cipher import Cipher, NoCipher, Unsealed
from .client import RedisClient
from .wakeups import Wakeups


class OwnedRun(NamedTuple):
    """A run that this process works on: as which node, whose it is (empty if nobody has asked yet), and the last number
    that Redis has taken."""

    node: str
    principal: str
    last: int


class Store:
    """`_owned` are the runs that this process works on."""

    def __init__(self, client: RedisClient, wakeups: Wakeups, cipher: Cipher | NoCipher, replicas: int) -> None:
        self._client, self._wakeups, self._cipher, self._replicas = client, wakeups, cipher, replicas
        self._prefix = client.address.prefix.encode()
        self._owned: dict[str, OwnedRun] = {}
        self._histories = 0  # how often another primary, or one that was restarted, has been reached
        self._received: dict[str, bytes] = {}  # the first id of a message that each node has not received yet
        self._compared: dict[str, int] = {}  # how many histories each node has been told of

    def _opened(self, place: str, data: bytes) -> bytes:
        """Raises LogUnavailable for what another secret has sealed."""
        try:
            return self._cipher.open(place, data)
        except Unsealed as error:
            raise self._client.unavailable(error) from error

    @property
    def _nodes_key(self) -> bytes:
        return self._prefix + b"nodes"

    def _node_key(self, node: str, what: str) -> bytes:
        return self._prefix + f"node:{{{node}}}:{what}".encode()

    def _run_key(self, run: str) -> bytes:
        return self._prefix + f"run:{{{run}}}".encode()

    def _run_keys(self, run: str) -> tuple[bytes, bytes]:
        key = self._run_key(run)
        return key, key + b":entries"

    def _document_key(self, name: str) -> bytes:
        return self._prefix + b"document:" + name.encode()
