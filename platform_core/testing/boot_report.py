"""What a deployment has once it is booted, told by the process that boots it; imported before Django is set up."""

from __future__ import annotations

import json
import sys


def report() -> None:
    """Set Django up, ask for the addresses given on standard input, and print what this deployment has."""
    import django
    from django.apps import apps
    from django.test import Client

    from platform_core.registry import installed

    urls = json.load(sys.stdin)
    django.setup()
    client = Client(SERVER_NAME="localhost", raise_request_exception=False)
    registry = installed()
    contributions: dict[str, list[str]] = {}
    for hook, entries in registry.entries.items():
        for entry in entries:
            contributions.setdefault(entry.owner, []).append(f"{hook}: {entry.key}")
    document = {
        "statuses": {url: client.get(url).status_code for url in urls},
        "contributions": contributions,
        "hooks": [name for name in sys.modules if name.endswith(".hooks")],
        "labels": [config.label for config in apps.get_app_configs()],
    }
    sys.stdout.write(f"\n{json.dumps(document)}\n")
