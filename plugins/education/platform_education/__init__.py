"""The education plugin of Platform Core; this module holds its version."""

__version__ = "0.1.0"
