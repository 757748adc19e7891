"""``platformctl``: what operators do at the command line."""

from __future__ import annotations


def main() -> None:
    """Run ``platformctl``; the commands are imported here, as a process that only boots needs none of them."""
    from platform_core.cli.app import main as run

    run()
