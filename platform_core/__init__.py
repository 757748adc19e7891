"""A plugin platform for Django; this module holds the version."""

__version__ = "0.1.0"
