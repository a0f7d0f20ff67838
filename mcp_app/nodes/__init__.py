"""This process among others, as a shared log knows it: a node with a lease, an id that is used once, and its messages.

`node.py` is the process, `lease.py` what keeps it alive for the others, `post.py` what they say to each other,
`publishing.py` how runs become known, `remote_run.py` a run that another works on, `readers.py` who reads ours
elsewhere, `take_over.py` what becomes of the runs of the dead, `run_keys.py` the keys that find runs. HTTP and dialects
are not known here, and no log is implemented.
"""

from .node import Node

__all__ = ["Node"]
