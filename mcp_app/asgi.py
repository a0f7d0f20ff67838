"""The application that `hypercorn -c hypercorn.toml mcp_app.asgi:app` serves: settings from the environment, the
built-in tools, the manifest of the working directory; by our engine. Nothing else may be in here."""

import sys

from pydantic import ValidationError

from .app import create_app
from .config.invalid import invalid_for_tools, problem
from .server import engine

engine.install()
try:
    app = create_app()
except ValidationError as error:
    sys.exit(f"mcp-app: {problem(error)}")
if (wrong := invalid_for_tools()) is not None:
    sys.exit(f"mcp-app: {wrong}")
