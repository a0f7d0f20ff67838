"""Who calls: credentials are read and verified, and become an `Access` (protocol/access.py).

`verifier.py` is what knows callers, `credentials.py` what a request carries, `authentication.py` the rule by which
verifiers are asked, `configured.py` those that settings name. What a caller may do is decided where it does it; the
dialects, runs and authoring know nothing of what is here.
"""
