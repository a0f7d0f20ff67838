"""The authors' API: tools, resources, prompts, completions, content, and the `Context` that is passed to a function.

A typed function becomes schemas, names and a validated call here. Nothing is run, and no wire format is known except
MCP's content types.
"""
