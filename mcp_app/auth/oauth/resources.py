"""What this server is called as a resource: the audiences of its tokens (RFC 8707), and the documents that say where
callers get one (RFC 9728).

Pure. Which of its paths are MCP endpoints is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ...protocol.http.challenge import METADATA_PATH

_PORTS = {"http": 80, "https": 443}


def canonical(audience: str) -> str:
    """One spelling of a resource: scheme and host in lower case, without the scheme's own port and the slash at the end
    (RFC 3986, 6.2.2 and 6.2.3). What is no address stays as it is."""
    try:
        parts = urlsplit(audience)
        host, port = parts.hostname, parts.port
    except ValueError:
        return audience
    if parts.scheme not in _PORTS or not host or parts.query or parts.fragment or "@" in parts.netloc:
        return audience
    netloc = f"[{host}]" if ":" in host else host
    if port is not None and port != _PORTS[parts.scheme]:
        netloc += f":{port}"
    return f"{parts.scheme}://{netloc}{parts.path.rstrip('/')}"


class Audiences:
    """The names by which a token may be meant for this server."""

    def __init__(self, names: Iterable[str]) -> None:
        """The first is what a message shows."""
        known = [canonical(name) for name in names]
        self.main = known[0]
        self._known = frozenset(known)

    def include(self, audience: object) -> bool:
        """Whether a claim `aud` names one (RFC 7519, 4.1.3): a text, or a list of which one is enough."""
        given = [audience] if isinstance(audience, str) else audience
        names = [each for each in given if isinstance(each, str)] if isinstance(given, list) else []
        return any(canonical(name) in self._known for name in names)


class ProtectedResources:
    """The server at its public URL, and each of its MCP endpoints, as protected resources."""

    def __init__(
        self,
        public_url: str,
        paths: Sequence[str],
        issuers: Sequence[str],
        *,
        scopes: Sequence[str] = (),
        audiences: Sequence[str] = (),
        name: str = "",
    ) -> None:
        """public_url: where callers reach the server, perhaps below a path of a proxy's.
        paths: of the MCP endpoints, below it.
        issuers: who gives out tokens.
        scopes: what a client is to ask for at first.
        audiences: further names of this server, as an authorization server may know it by one of its own.
        """
        public = urlsplit(canonical(public_url))
        self._origin = f"{public.scheme}://{public.netloc}"
        self._prefix = public.path
        self._issuers = tuple(issuers)
        self.scopes = tuple(scopes)
        self._name = name
        self._paths = ("", *paths)
        own = (self._origin + self._prefix + path for path in self._paths)
        self.audiences = Audiences((*own, self._origin, *audiences))

    def documents(self) -> Mapping[str, Mapping[str, Any]]:
        """Each document by the path at which it is served."""
        return {METADATA_PATH + path: self._document(path) for path in self._paths}

    def metadata_url(self, path: str) -> str:
        """The address of the document about the resource to which `path`, without a proxy's, belongs.

        It is below the proxy's path, as every other address of ours. Where RFC 9728, 3.1 has clients look that have
        seen no challenge, in front of the proxy's path, only the proxy can lead them.
        """
        return f"{self._origin}{self._prefix}{METADATA_PATH}{path if path in self._paths else ''}"

    def _document(self, path: str) -> Mapping[str, Any]:
        document: dict[str, Any] = {
            "resource": self._origin + self._prefix + path,
            "authorization_servers": list(self._issuers),
            "bearer_methods_supported": ["header"],
        }
        if self.scopes:
            document["scopes_supported"] = list(self.scopes)
        if self._name:
            document["resource_name"] = self._name
        return document
