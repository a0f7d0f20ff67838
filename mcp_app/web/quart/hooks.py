"""Rejects the per-request hooks that Quart would run and the lane does not.

They are rejected when they are added, in the author's own line, and hooks added before that are found at startup: no
check is made per request, and no hook is skipped silently.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from quart import Quart, signals
from quart.config import Config
from quart.routing import QuartMap
from werkzeug.routing import RuleFactory

from .blueprint import NAME, RoutePaths

REQUEST_ATTRIBUTES = frozenset(
    {
        *("asgi_http_class", "request_class", "response_class", "session_interface", "app_ctx_globals_class"),
        *("handle_request", "full_dispatch_request", "preprocess_request", "dispatch_request", "finalize_request"),
        *("make_response", "process_response", "do_teardown_request", "do_teardown_appcontext", "ensure_async"),
        *("request_context", "app_context", "create_url_adapter", "handle_exception", "handle_user_exception"),
        *("handle_http_exception", "log_exception", "raise_routing_exception", "trap_http_exception"),
        *("before_request_funcs", "after_request_funcs", "teardown_request_funcs", "teardown_appcontext_funcs"),
        *("url_value_preprocessors", "error_handler_spec", "view_functions", "url_map", "config"),
    }
)
"""Attributes of the application that Quart calls or reads for each request: the lane would ignore a replacement."""

_HOOK_KINDS = {
    "before_request_funcs": "a function before each request",
    "after_request_funcs": "a function after each request",
    "teardown_request_funcs": "a function at the end of each request",
    "url_value_preprocessors": "a URL processor",
}
"""Quart's registries of hooks, keyed by blueprint, and what the error message calls one of their functions."""

_SIGNALS = (
    signals.request_started,
    signals.request_finished,
    signals.request_tearing_down,
    signals.got_request_exception,
    signals.appcontext_pushed,
    signals.appcontext_popped,
    signals.appcontext_tearing_down,
)


def refuse(what: str) -> NoReturn:
    raise RuntimeError(f"this application takes the lane: create_app(lane=False) makes one with {what}")


class _RefusingList(list[Any]):
    """An empty list of hooks of one kind that rejects additions."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind

    def append(self, function: Any, /) -> NoReturn:
        refuse(f"{self._kind}: {function!r}")

    def insert(self, _: Any, function: Any, /) -> NoReturn:
        self.append(function)

    def extend(self, functions: Iterable[Any], /) -> None:
        for function in functions:
            self.append(function)

    def __iadd__(self, functions: Iterable[Any], /) -> _RefusingList:  # type: ignore[misc]
        self.extend(functions)
        return self


class _SetItemDict(dict[Any, Any]):
    """A dict whose other mutators all use its `__setitem__`."""

    def update(self, *others: Any, **values: Any) -> None:
        for name, value in dict(*others, **values).items():
            self[name] = value

    def setdefault(self, name: Any, value: Any = None) -> Any:
        if name not in self:
            self[name] = value
        return self[name]


class _RefusingHandlers(_SetItemDict):
    """An empty registry of error handlers, by code and exception class, that rejects additions."""

    def __missing__(self, _: object) -> _RefusingHandlers:
        return self

    def __setitem__(self, _: Any, handler: Any) -> NoReturn:
        refuse(f"an error handler: {handler!r}")


class _ProtectedViews(_SetItemDict):
    """The views by endpoint: ours cannot be replaced, others may be added."""

    def __setitem__(self, endpoint: str, view: Any) -> None:
        if endpoint in self and endpoint.startswith(f"{NAME}."):
            refuse(f"another view in the place of {endpoint}: {view!r}")
        super().__setitem__(endpoint, view)


class SessionlessConfig(_SetItemDict, Config):
    """Rejects a SECRET_KEY: with one, Quart would open and save a session for each request."""

    def __setitem__(self, name: str, value: Any) -> None:
        if name == "SECRET_KEY" and value:
            refuse("sessions (SECRET_KEY)")
        super().__setitem__(name, value)


class GuardedMap(QuartMap):
    """The URL map: rejects another rule at one of `our_paths`."""

    our_paths = RoutePaths(())

    def add(self, rulefactory: RuleFactory) -> None:
        for rule in rulefactory.get_rules(self):
            if rule.rule in self.our_paths:
                refuse(f"another route at {rule.rule}")
        super().add(rulefactory)


def forbid_hooks(app: Quart) -> None:
    """Make `app` reject hooks that would run for our blueprint. Hooks of other blueprints can be added."""
    for scope in (None, NAME):
        for registry, kind in _HOOK_KINDS.items():
            getattr(app, registry)[scope] = _RefusingList(kind)
        app.error_handler_spec[scope] = _RefusingHandlers()
    app.teardown_appcontext_funcs = _RefusingList("a function at the end of each application context")
    app.view_functions = _ProtectedViews(app.view_functions)


def refuse_existing_hooks(app: Quart) -> None:
    """Raise for hooks in registries that have replaced those of `forbid_hooks`."""
    for registry, kind in {**_HOOK_KINDS, "error_handler_spec": "error handlers"}.items():
        for hooks in (getattr(app, registry)[scope] for scope in (None, NAME)):
            if hooks:
                refuse(f"{kind}: {hooks!r}")


class Signals:
    """The signals that Quart sends for each request; `app` may have no receiver of them while it is served."""

    def __init__(self, app: Quart) -> None:
        self._app = app

    def refuse_receivers(self) -> None:
        """Reject receivers connected from now on, and those already connected."""
        for signal in _SIGNALS:
            for receiver in signal.receivers_for(self._app):
                refuse(f"a receiver of {signal.name}: {receiver!r}")
        for signal in _SIGNALS:
            signal.receiver_connected.connect(self._on_receiver_connected, sender=signal)

    def detach(self) -> None:
        for signal in _SIGNALS:
            signal.receiver_connected.disconnect(self._on_receiver_connected, sender=signal)

    def _on_receiver_connected(self, signal: Any, receiver: Any, sender: Any, weak: bool) -> None:
        if sender is self._app or sender is signal.ANY:
            signal.disconnect(receiver, sender)
            refuse(f"a receiver of {signal.name}: {receiver!r}")
