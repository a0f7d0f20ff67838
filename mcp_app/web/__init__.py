"""HTTP: moves bytes between the server and the endpoint, and decides nothing that a lower part can decide."""
