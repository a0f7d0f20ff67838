"""What an author writes with: tools, resources, prompts, completions, content, and the `Context` that a function gets.

A typed function becomes schemas, names and a validated call here. Nothing is run, and no wire is known but the shapes
that MCP gives content.
"""
