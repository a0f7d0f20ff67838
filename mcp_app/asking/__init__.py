"""Asking the caller during a call: its user (elicitation), its model (sampling), its client (roots).

    asker.py       a request to the client, how its answer is read, and the `Asker` interface
    form.py        a pydantic model as a form
    by_retry.py    revisions without sessions: the call ends, the client retries it with the answers
    lazy.py        creates a by_retry asker at the first question
    by_session.py  revisions with sessions: the call waits for the response
    by_polling.py  tasks: the client polls for the questions
    by_url.py      clients that accept no stream but open pages: the call ends with the URLs, the client retries it
    visits.py      the pages that users were sent to
    once.py        values that are computed once per call, although the tool may run again

Tools use all of these through `Context`, whose methods are the same for each. No HTTP and no run is known here.
"""

from ..protocol.asking import Declined, MissingCapability, NoAnswer
from .asker import URL, Ask, Asker, Emit, InputRequired, NullAsker, Root, Sample, declared
from .by_polling import PollingAsker, earlier_state
from .by_retry import CallState, RetryAsker
from .by_session import SessionAsker
from .by_url import REFERRAL_SECONDS, Referrals, UrlAsker, UrlReferrals
from .form import Titled
from .lazy import LazyAsker
from .once import Once
from .visits import VISIT_SECONDS, SharedVisit, Visit, Visits

__all__ = [
    "REFERRAL_SECONDS",
    "URL",
    "VISIT_SECONDS",
    "Ask",
    "Asker",
    "CallState",
    "Declined",
    "Emit",
    "InputRequired",
    "LazyAsker",
    "MissingCapability",
    "NoAnswer",
    "NullAsker",
    "Once",
    "PollingAsker",
    "Referrals",
    "RetryAsker",
    "Root",
    "Sample",
    "SessionAsker",
    "SharedVisit",
    "Titled",
    "UrlAsker",
    "UrlReferrals",
    "Visit",
    "Visits",
    "declared",
    "earlier_state",
]
