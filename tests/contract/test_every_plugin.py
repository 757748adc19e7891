"""What the core asks of every plugin, asked of every plugin in this repository."""

from platform_core.testing.contract import *  # noqa: F403
