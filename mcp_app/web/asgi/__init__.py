"""The ASGI application for our paths: reads a request's body, cancels it on disconnect, sends its answer. No Quart
here."""
