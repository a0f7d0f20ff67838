"""From what names tools (a file, a module, an object) to what a server offers. Nothing is served here."""
