"""A plugin platform for Django; this module holds the version, and the number of the hooks' contract."""

__version__ = "0.1.0"

HOOK_API = 1
"""Grows when a hook goes away or wants something else of its implementations; a new hook leaves it as it is."""
