"""The verifier of access tokens that settings describe. Nothing is fetched here."""

from __future__ import annotations

from collections.abc import Sequence

from ...config.settings import Settings
from ...protocol.scopes import Hierarchy
from .outlet import Outlet
from .resources import ProtectedResources
from .verifier import OAuth


def oauth(settings: Settings, endpoints: Sequence[str], name: str) -> OAuth:
    """For a server that speaks MCP at the paths `endpoints`, and is called `name` by people."""
    issuers, secret = settings.key_addresses, settings.oauth_client_secret
    ask = settings.oauth_introspection
    resources = ProtectedResources(
        str(settings.public_url),
        endpoints,
        list(issuers),
        scopes=settings.oauth_scopes,
        audiences=settings.oauth_audiences,
        name=name,
    )
    return OAuth(
        resources,
        issuers,
        Outlet(),
        introspection=None if ask is None or secret is None else (ask, settings.oauth_client_id or "", secret),
        hierarchy=Hierarchy.read(settings.scopes),
    )
