"""Settings of OAuth: whose access tokens are taken. Environment variables that start with MCP_APP_OAUTH_.

Checked as text: nothing is fetched here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from ..protocol.scopes import check_scopes
from ..protocol.this_machine import is_this_machine
from .environment import FromEnvironment


def _parts(value: object) -> object:
    """Separated by commas. A slash at the end of one stays: an issuer's name is compared letter for letter."""
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


def _words(value: object) -> object:
    return tuple(re.split(r"[\s,]+", value.strip(" \t\r\n,"))) if isinstance(value, str) and value.strip() else value


def _check_issuers(issuers: tuple[str, ...]) -> tuple[str, ...]:
    """Raises ValueError unless each is an address, perhaps with that of its keys behind `=`."""
    names = [each.partition("=")[0] for each in issuers]
    for name in names:
        _check_address(name, "an issuer")
    for each in issuers:
        if keys := each.partition("=")[2]:
            _check_address(keys, "the address of an issuer's keys", query=True, local=False)
    if len(set(names)) != len(names):
        raise ValueError("an issuer stands there twice")
    return issuers


def _check_scopes(scopes: tuple[str, ...]) -> tuple[str, ...]:
    check_scopes(scopes)
    return scopes


def _check_url(url: str | None) -> str | None:
    if url is not None:
        _check_address(url, "the introspection endpoint", query=True, local=False)
    return url


def _check_address(url: str, what: str, *, query: bool = False, local: bool = True) -> None:
    """`local`: http is for this machine only. It is said without the address, which may have a password in it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or re.search(r"[\x00-\x20\\]", url):
        raise ValueError(f"{what} is an address such as https://id.example.com/realms/tools")
    if "@" in parts.netloc:
        raise ValueError(f"{what} has a user or a password in its address: leave it out")
    if parts.fragment or (parts.query and not query):
        raise ValueError(f"{what} has a query or a fragment: leave out what begins with ? or #")
    if local and parts.scheme == "http" and not is_this_machine(host):
        raise ValueError(f"{what} is https, but on this machine: whoever is between could give out tokens")


class OAuthSettings(FromEnvironment):
    """Whose tokens are taken, and how it is found out what each is worth."""

    environment_prefix: ClassVar[str] = "MCP_APP_"

    oauth_issuers: Annotated[tuple[str, ...], AfterValidator(_check_issuers), BeforeValidator(_parts)] = ()
    """Authorization servers whose tokens are taken (comma separated), each as it names itself in `iss`, letter for
    letter; none by default. `ISSUER=URL` says where its keys are, if its metadata cannot: they are fetched from there
    also by http, for a server in the same network. It needs public_url, which is what tokens are made for."""

    oauth_audiences: Annotated[tuple[str, ...], BeforeValidator(_parts)] = ()
    """Further names by which a token may be meant for this server (comma separated), beside its URL and those of its
    MCP endpoints: an authorization server may know it by a name of its own."""

    oauth_scopes: Annotated[tuple[str, ...], AfterValidator(_check_scopes), BeforeValidator(_words)] = ()
    """Scopes that clients are to ask for at first (separated by commas or spaces): most ask for no others later. None
    by default: then what they ask for is theirs to choose."""

    oauth_introspection: Annotated[str | None, AfterValidator(_check_url)] = None
    """The address at which the issuer, the only one then, says what a token is worth (RFC 7662): for tokens that only
    it can read, or that it takes back. By default tokens are verified with its keys."""

    oauth_client_id: str | None = Field(default=None, min_length=1)
    """This server's name at the introspection endpoint."""

    oauth_client_secret: SecretStr | None = Field(default=None, min_length=1)
    """And its password there."""

    @property
    def key_addresses(self) -> Mapping[str, str]:
        """The address of each issuer's keys by its name; "" where its metadata say it."""
        return {name: keys for name, _, keys in (each.partition("=") for each in self.oauth_issuers)}

    @model_validator(mode="after")
    def _check_introspection(self) -> Self:
        client = (self.oauth_client_id, self.oauth_client_secret)
        if self.oauth_introspection is None:
            if client != (None, None):
                raise ValueError(
                    "without MCP_APP_OAUTH_INTROSPECTION nobody is told MCP_APP_OAUTH_CLIENT_ID and its secret"
                )
        elif None in client:
            raise ValueError("MCP_APP_OAUTH_INTROSPECTION needs MCP_APP_OAUTH_CLIENT_ID and …_SECRET")
        elif len(self.oauth_issuers) != 1:
            raise ValueError(
                "MCP_APP_OAUTH_INTROSPECTION needs MCP_APP_OAUTH_ISSUERS to name the one issuer that it asks"
            )
        return self
