"""`python -m bench.endurance_server DIRECTORY`: the load tools on ports that the system chooses, until SIGTERM.

The same serving as `mcp-app serve`, with hypercorn.toml's limits, and certificates made in that directory.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bench import load_tools
from mcp_app import Tool, create_app
from mcp_app.server.certificates import ensure
from mcp_app.server.configuration import load
from mcp_app.server.run import serve


def main() -> int:
    certificates = ensure(Path(sys.argv[1]))[0]
    config, _ = load(bind=["127.0.0.1:0"], insecure_bind=["127.0.0.1:0"])
    config.certfile = str(certificates.certificate)
    config.keyfile = str(certificates.key)
    config.worker_class = os.environ.get("WORKER_CLASS", "asyncio")
    config.accesslog = None
    app = create_app(tools=[each for each in vars(load_tools).values() if isinstance(each, Tool)])
    return serve(app, config, lambda urls: print(*urls, flush=True))


if __name__ == "__main__":
    sys.exit(main())
