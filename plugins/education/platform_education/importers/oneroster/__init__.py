"""Import of OneRoster 1.1 CSV sets: read, check everything, and only then write what differs."""

from platform_education.importers.oneroster.run import import_oneroster

__all__ = ["import_oneroster"]
