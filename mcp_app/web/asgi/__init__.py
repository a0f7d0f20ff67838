"""The same endpoint as an ASGI application of our own: a request's body, its leaving, its answer. No Quart in here."""
