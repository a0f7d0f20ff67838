"""Functions around every tool: a line for the audit, a reporter of errors, and a rule who may call what.

Served beside any file of tools: `mcp-app serve examples/audit.py examples/hello.py`. The first is outermost.
"""

import logging
from typing import Any

from mcp_app import Call, Proceed, ToolError, around

logger = logging.getLogger("audit")
logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s %(message)s")


@around
async def audit(call: Call, proceed: Proceed) -> Any:
    """Write one line for each call: who, what, with which arguments, how it ended."""
    try:
        return await proceed()
    finally:
        ended = call.code or "refused"
        where = "/".join(call.path) or call.dialect
        logger.info(
            "%s %s %s by %s: %s %.1f s",
            where,
            call.tool.name,
            dict(call.arguments),
            call.principal,
            ended,
            call.seconds,
        )


@around
async def report(call: Call, proceed: Proceed) -> Any:
    """Report what no author meant: here to the log, else to Sentry or the like."""
    try:
        return await proceed()
    except ToolError:
        raise
    except Exception as error:
        logger.error("%s is broken: %r", call.tool.name, error)  # noqa: TRY400 - the server's log has the traceback
        raise


@around
async def only_reading(call: Call, proceed: Proceed) -> Any:
    """Let nobody but those who are known change anything."""
    if call.principal == "anonymous" and not call.tool.read_only:
        raise ToolError(f"{call.tool.title} changes something: sign in first.", hint="Call a read-only tool.")
    return await proceed()
