"""The verifiers that settings name, in the order in which they are asked: what an operator configures, one line each.

Nothing is read or connected to here: that is a verifier's `start`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..config.settings import Settings, secrets_of
from ..protocol.scopes import Hierarchy
from .verifier import Verifier, VerifierError


def configured(settings: Settings, endpoints: Sequence[str] = (), name: str = "") -> list[Verifier]:
    """New verifiers of one server, on one event loop. Raises VerifierError for one that needs what is not installed.

    `endpoints` are the paths at which MCP is spoken, `name` is the server's for people.
    """
    found: list[Verifier] = []
    if settings.keys is not None:
        from .key_file import KeyFile
        from .key_verifier import KeyVerifier
        from .page_sign_in import PageSignIns

        keys = KeyVerifier(KeyFile(settings.keys), Hierarchy.read(settings.scopes))
        found += [keys, PageSignIns(keys, secrets_of(settings.secret))]
    if settings.oauth_issuers:
        try:
            from .oauth.from_settings import oauth
        except ModuleNotFoundError as error:
            raise VerifierError(
                f"MCP_APP_OAUTH_ISSUERS needs {error.name}, which is not installed: pip install 'joserfc>=1.8' httpx"
            ) from error
        found.append(oauth(settings, endpoints, name))
    if settings.client_certificates:
        from ..config.client_certificates import parse_rules
        from .certificates import CertificateVerifier

        rules = parse_rules(settings.client_certificates)
        found.append(CertificateVerifier(rules, Hierarchy.read(settings.scopes)))
    return found
