"""Asking the caller in the middle of a call: the user (elicitation), its model (sampling), its roots.

`ask.py` is what is asked and what an answer is, `form.py` a pydantic model as a form, `rounds.py` the way of revisions
without sessions (the call ends, and comes again with the answers), `live.py` that of those with sessions (the call
waits), `deferred.py` that of tasks (the client polls), `referred.py` that of clients that
take no stream and open pages, `visits.py` the pages, `once.py` what must not happen twice. A tool reaches all of it
through its `Context`, which looks the same in all. No HTTP and no run is known here.
"""

from ..protocol.asking import Declined, MissingCapability, NoAnswer
from .ask import URL, Ask, Asker, Emit, InputRequired, Nobody, Root, Sample, declared
from .deferred import Deferred
from .form import Titled
from .live import Live
from .once import Once
from .referred import Referrals, Referred
from .rounds import Rounds, State
from .unasked import Unasked
from .visits import Visit, Visits

__all__ = [
    "URL",
    "Ask",
    "Asker",
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
    "State",
    "Titled",
    "Unasked",
    "Visit",
    "Visits",
    "declared",
]
