"""The plain dialect: `{"tool": …, "params": {…}}` by POST, EventSource by GET, detached runs."""
