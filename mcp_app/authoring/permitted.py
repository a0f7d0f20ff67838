"""What a caller may use of what is offered, by its scopes, and what it is shown.

Who calls is not decided here, and nothing is looked up: an item is judged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Protocol, TypeVar

from ..protocol.access import Access
from ..protocol.errors import InsufficientScope, ToolDefinitionError
from ..protocol.scopes import check_scopes, write_scopes

logger = logging.getLogger("mcp_app.access")


class Scoped(Protocol):
    """A tool, a resource or a prompt, as far as it is known here."""

    @property
    def name(self) -> str: ...

    @property
    def scopes(self) -> frozenset[str]:
        """All of them are needed to use it; empty where it is everybody's."""

    @property
    def hidden(self) -> bool:
        """Whether nobody is shown it: it is used by who knows its name."""


T = TypeVar("T", bound=Scoped)


WITHHELD: ContextVar[Callable[[Access, str], None] | None] = ContextVar("mcp_app.withheld", default=None)
"""Is told, by whom and the name, of what a caller asks for in the current request and may not use. For the audit log
alone: no decision may depend on it."""


def is_shown(item: Scoped, access: Access) -> bool:
    """Whether the caller is told that it is there: in lists, by similar names, and when it changes."""
    return not item.hidden and (not item.scopes or access.sees(item.scopes))


def permitted(item: T | None, access: Access) -> T | None:
    """The item, if the caller may use it; None if for this caller there is none.

    Raises InsufficientScope for an item that the caller is shown and needs more scopes for.
    """
    if item is None or not item.scopes or access.may(item.scopes):
        return item
    if (tell := WITHHELD.get()) is not None:
        tell(access, item.name)
    if is_shown(item, access):
        raise InsufficientScope(item.scopes)
    # To the caller it is as if there were none, so that the log alone tells an operator why.
    logger.info(
        "%s is not shown %s, which needs the scopes: %s", access.principal, item.name, write_scopes(item.scopes)
    )
    return None


def scopes_of(where: str, given: Iterable[str]) -> frozenset[str]:
    """From the option of a decorator; `where` names the definition. Raises ToolDefinitionError."""
    try:
        return check_scopes(given)
    except (TypeError, ValueError) as error:
        raise ToolDefinitionError(f'{where}: scopes: {error}. Write a list, as in scopes=["mail.send"].') from error
