"""Measurements: what holds under load, recorded beside the commit it was run at. Nothing here is a pass/fail test."""
