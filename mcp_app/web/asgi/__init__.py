"""The ASGI application that answers our paths: a request's body, its leaving, its answer. No Quart in here."""
