"""`python -m mcp_app` runs `mcp-app`. Nothing else may be in here."""

import sys

from mcp_app.cli import main

if __name__ == "__main__":
    sys.exit(main())
