"""The application that `hypercorn -c hypercorn.toml mcp_app.asgi:app` serves: settings from the environment, the
built-in tools, the manifest of the working directory. Nothing else may be in here."""

from .app import create_app

app = create_app()
