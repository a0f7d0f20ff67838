"""The application that `hypercorn -c hypercorn.toml mcp_app.asgi:app` serves: settings from the environment, the
built-in tools, the manifest of the working directory; by our engine. Nothing else may be in here."""

from .app import create_app
from .server import engine

engine.install()
app = create_app()
