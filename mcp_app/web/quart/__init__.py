"""The same endpoint behind Quart: the application, its connection, the blueprint. No policy in here."""
