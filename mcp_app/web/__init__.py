"""Quart glue: moves bytes between HTTP and the endpoint, and decides nothing that a lower part can decide."""
