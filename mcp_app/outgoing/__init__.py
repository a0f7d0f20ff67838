"""Going out to a URL or a name that somebody else chose, without becoming their way into the own network (SSRF).

`fetch` is one bounded GET, `client` is httpx's with all its methods, and `Lookup` with `CheckedBackend` is what both
connect by, for what is not HTTP. `Rules` say where connections may go. Addresses that the operator has configured need
none of this: call them as you like.

The names are imported at their first use: all but `Rules` and `Unreachable` need the packages of the extra `outgoing`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .addresses import Address, Network, refusal
    from .bodies import read_at_most
    from .clients import client
    from .dialing import CheckedBackend, peer_of
    from .fetching import Fetched, fetch
    from .resolution import Addresses, Lookup, make_resolver, reason_of
    from .rules import Rules
    from .unreachable import Reason, Unreachable

__all__ = [
    "Address",
    "Addresses",
    "CheckedBackend",
    "Fetched",
    "Lookup",
    "Network",
    "Reason",
    "Rules",
    "Unreachable",
    "client",
    "fetch",
    "make_resolver",
    "peer_of",
    "read_at_most",
    "reason_of",
    "refusal",
]

_MODULES = {
    "addresses": ("Address", "Network", "refusal"),
    "bodies": ("read_at_most",),
    "clients": ("client",),
    "dialing": ("CheckedBackend", "peer_of"),
    "fetching": ("Fetched", "fetch"),
    "resolution": ("Addresses", "Lookup", "make_resolver", "reason_of"),
    "rules": ("Rules",),
    "unreachable": ("Reason", "Unreachable"),
}
"""Module -> its public names; the same as the imports above, which are for type checkers."""


def __getattr__(name: str) -> Any:
    """Import a public name at its first use, and cache it."""
    for module, names in _MODULES.items():
        if name in names:
            try:
                value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{module}"), name)
            except ModuleNotFoundError as missing:
                raise ImportError(
                    f"outgoing.{name} needs {missing.name}: pip install dnspython 'httpx[http2]'", name=missing.name
                ) from missing
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """All public names, including those not imported yet."""
    return sorted({*globals(), *__all__})
