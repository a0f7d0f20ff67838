"""Configuration by the operator: the settings, the environment they are read from, the default files of the package.

The effect of a setting is known only to the part that reads it.
"""
