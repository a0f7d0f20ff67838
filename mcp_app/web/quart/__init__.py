"""The same answers by way of Quart: the application, its hooks, its connection, the blueprint. No policy in here."""
