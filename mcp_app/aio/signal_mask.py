"""Which threads get the signals that stop a process: the main thread, which handles them.

No handler is set here.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stops_for_main_thread_only() -> Iterator[None]:
    """Whoever starts a thread in this block starts one that the signals which order a stop are not given to.

    Python handles a signal in the main thread, but the kernel gives it to any thread, of two in one instant the second:
    then a main thread that waits in a call of the system is not woken. Not for threads of tools: the programs that they
    start would inherit it, and could not be stopped.
    """
    if not hasattr(signal, "pthread_sigmask"):  # as on Windows
        yield
        return
    stops = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
