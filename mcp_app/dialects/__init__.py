"""The dialects that a call can be in: each turns a request into a run, and what the run appended into its own words.

No dialect imports the other; what both need is in web/messages.py. Neither Quart nor ASGI is known here.
"""
