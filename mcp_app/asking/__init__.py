"""Asking the caller in the middle of a call: the user (elicitation), its model (sampling), its roots.

`asker.py` is what is asked and what an answer is, `form.py` a pydantic model as a form, `by_retry.py` the way of
revisions without sessions (the call ends, and comes again with the answers), `lazy.py` the same once it is needed,
`by_session.py` that of those with sessions (the call waits), `by_polling.py` that of tasks (the client polls),
`by_url.py` that of clients that take no stream and open pages, `visits.py` the pages, `once.py` what must not happen
twice. A tool reaches all of it through its `Context`, which looks the same in all. No HTTP and no run is known here.
"""

from ..protocol.asking import Declined, MissingCapability, NoAnswer
from .asker import URL, Ask, Asker, Emit, InputRequired, Nobody, Root, Sample, declared
from .by_polling import Deferred
from .by_retry import CallState, Rounds
from .by_session import Live
from .by_url import Referrals, Referred
from .form import Titled
from .lazy import Unasked
from .once import Once
from .visits import Visit, Visits

__all__ = [
    "URL",
    "Ask",
    "Asker",
    "CallState",
    "Declined",
    "Deferred",
    "Emit",
    "InputRequired",
    "Live",
    "MissingCapability",
    "NoAnswer",
    "Nobody",
    "Once",
    "Referrals",
    "Referred",
    "Root",
    "Rounds",
    "Sample",
    "Titled",
    "Unasked",
    "Visit",
    "Visits",
    "declared",
]
