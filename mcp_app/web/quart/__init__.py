"""The same answers behind Quart: the application, its hooks, its connection, the blueprint. No policy in here."""
