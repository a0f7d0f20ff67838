"""The context of one scan, for every step: name, settings, time, DNS and connections. No logic of a step."""

from dataclasses import dataclass
from datetime import datetime

from mcp_app import outgoing
from mcp_app.builtin.scan_domain.fetching import Session
from mcp_app.builtin.scan_domain.settings import ScanSettings
from mcp_app.builtin.scan_domain.target import Target


@dataclass(frozen=True)
class Scope:
    """The context of one scan."""

    domain: str
    settings: ScanSettings
    now: datetime
    lookup: outgoing.Lookup
    backend: outgoing.CheckedBackend

    def session(self, *, http2: bool = True) -> Session:
        return Session(self.settings, self.backend, http2=http2)

    def target(self, scheme: str, path: str = "/") -> Target:
        """A path of the scanned name."""
        port = self.settings.https_port if scheme == "https" else self.settings.http_port
        return Target(scheme, self.domain, port, path)
