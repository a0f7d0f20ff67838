"""Run tools that take time and stream what happens."""
