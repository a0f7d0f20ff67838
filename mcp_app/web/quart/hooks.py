"""What Quart runs for every request and the lane does not: an application that takes the lane refuses it.

It is refused where it is added, by the author's own line, and what was there before is found at the start: nothing has
to be asked for a request, and nothing is skipped in silence.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from quart import Quart, signals
from quart.config import Config
from quart.routing import QuartMap
from werkzeug.routing import RuleFactory

from .blueprint import NAME, OurPaths

INSTEAD = frozenset(
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
"""What Quart calls, or looks into, on the application for one request: what is put in its place would not be."""

_KINDS = {
    "before_request_funcs": "a function before each request",
    "after_request_funcs": "a function after each request",
    "teardown_request_funcs": "a function at the end of each request",
    "url_value_preprocessors": "a URL processor",
}
"""Quart's registries of functions, each by the blueprint that they are for, and what one of those functions is."""

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


class _NoFunctions(list[Any]):
    """Functions of one kind, of which there are none."""

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

    def __iadd__(self, functions: Iterable[Any], /) -> _NoFunctions:  # type: ignore[misc]
        self.extend(functions)
        return self


class _SetOneByOne(dict[Any, Any]):
    """A dictionary that has no way past its `__setitem__`."""

    def update(self, *others: Any, **values: Any) -> None:
        for name, value in dict(*others, **values).items():
            self[name] = value

    def setdefault(self, name: Any, value: Any = None) -> Any:
        if name not in self:
            self[name] = value
        return self[name]


class _NoHandlers(_SetOneByOne):
    """Error handlers by code and by class of exception, of which there are none."""

    def __missing__(self, _: object) -> _NoHandlers:
        return self

    def __setitem__(self, _: Any, handler: Any) -> NoReturn:
        refuse(f"an error handler: {handler!r}")


class _Views(_SetOneByOne):
    """The views by endpoint: ours stay, and others may come."""

    def __setitem__(self, endpoint: str, view: Any) -> None:
        if endpoint in self and endpoint.startswith(f"{NAME}."):
            refuse(f"another view in the place of {endpoint}: {view!r}")
        super().__setitem__(endpoint, view)


class KeylessConfig(_SetOneByOne, Config):
    """Without a SECRET_KEY there is no session, which Quart would open and save with each request."""

    def __setitem__(self, name: str, value: Any) -> None:
        if name == "SECRET_KEY" and value:
            refuse("sessions (SECRET_KEY)")
        super().__setitem__(name, value)


class GuardedMap(QuartMap):
    """The rules of routing: those of `ours` stay alone at their paths."""

    ours = OurPaths(())

    def add(self, rulefactory: RuleFactory) -> None:
        for rule in rulefactory.get_rules(self):
            if rule.rule in self.ours:
                refuse(f"another route at {rule.rule}")
        super().add(rulefactory)


def empty_for_good(app: Quart) -> None:
    """No hook can be added to `app` that runs for our blueprint. Those of other blueprints can."""
    for scope in (None, NAME):
        for registry, kind in _KINDS.items():
            getattr(app, registry)[scope] = _NoFunctions(kind)
        app.error_handler_spec[scope] = _NoHandlers()
    app.teardown_appcontext_funcs = _NoFunctions("a function at the end of each application context")
    app.view_functions = _Views(app.view_functions)


def refuse_hooks(app: Quart) -> None:
    """Those that somebody has put in the place of what is empty for good."""
    for registry, kind in {**_KINDS, "error_handler_spec": "error handlers"}.items():
        for hooks in (getattr(app, registry)[scope] for scope in (None, NAME)):
            if hooks:
                refuse(f"{kind}: {hooks!r}")


class Signals:
    """The signals that Quart sends with each request, of which `app` has no receiver while it is served."""

    def __init__(self, app: Quart) -> None:
        self._app = app

    def refuse_receivers(self) -> None:
        """From now on; and those that are there already."""
        for signal in _SIGNALS:
            for receiver in signal.receivers_for(self._app):
                refuse(f"a receiver of {signal.name}: {receiver!r}")
        for signal in _SIGNALS:
            signal.receiver_connected.connect(self._connected, sender=signal)

    def forget(self) -> None:
        for signal in _SIGNALS:
            signal.receiver_connected.disconnect(self._connected, sender=signal)

    def _connected(self, signal: Any, receiver: Any, sender: Any, weak: bool) -> None:
        if sender is self._app or sender is signal.ANY:
            signal.disconnect(receiver, sender)
            refuse(f"a receiver of {signal.name}: {receiver!r}")
