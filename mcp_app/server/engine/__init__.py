"""Hypercorn 0.18 as mcp_app serves by it: subclasses of its classes, without its defects and for less.

What each defect is, and its thread, is in the class that is without it; docs/hypercorn-defects.md has the list. `serve`
in `worker` is the way in. Nothing of Hypercorn is changed by importing any of it; `install()` changes one name.
"""

from __future__ import annotations

__all__ = ["install"]


def install() -> None:
    """Have Hypercorn's own command, and its `serve()`, serve by this engine in this process.

    For the module that `hypercorn module:app` names: Hypercorn looks up what serves after it has imported that module,
    in each of its worker processes. A server that has started already is not changed. Only asyncio's workers and
    uvloop's are meant, not trio's.
    """
    import hypercorn.asyncio
    import hypercorn.asyncio.run

    from .worker import worker_serve

    hypercorn.asyncio.run.worker_serve = worker_serve
    hypercorn.asyncio.worker_serve = worker_serve  # type: ignore[attr-defined]
