"""What an operator sets: the settings, the environment they are read from, the files that are shipped as defaults.

What a setting does is known only to the part that reads it.
"""
