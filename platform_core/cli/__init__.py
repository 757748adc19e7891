"""``platformctl``: what operators do at the command line."""

from platform_core.cli.app import main

__all__ = ["main"]
