"""What is true of this deployment now, as rows: the same functions answer the command line where it shows the same."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.conf import settings

from platform_core.models import PluginContribution, PluginRecord
from platform_core.observability.health import check_health
from platform_core.registry.contents import installed
from platform_core.registry.cost_report import plugin_costs
from platform_core.registry.inventory import list_plugins
from platform_core.resource.rate_limits import RateLimit, general_limit_text
from platform_core.tasks.catalogue import CORE

Row = dict[str, Any]


def plugins() -> list[Row]:
    """Return every installed or listed plugin: its state, since when, and why it is not what the lists ask for."""
    since = dict(PluginRecord.objects.values_list("slug", "state_since"))
    return [
        {**one, "since": since.get(one["slug"])}
        for one in list_plugins(settings.PLATFORM.deployment)
    ]


def plugin_details(slug: str) -> Row:
    """Return what a plugin contributed, as the ledger keeps it, and what it costs; nothing of one that is not loaded."""
    contributions = PluginContribution.objects.filter(plugin=slug)
    costs = {one["slug"]: one for one in plugin_costs(settings.PLATFORM.deployment.data_dir)}
    found = costs.get(slug, {})
    return {
        "contributions": [*contributions.values("kind", "name", "version", "place")],
        "start": found.get("start"),
        "requests": found.get("requests"),
        "tables": found.get("tables", []),
    }


def health() -> list[Row]:
    """Return what ``/readyz`` judges by, each check with its owner and its detail."""
    return [{"id": f"{one.plugin}.{one.name}", **asdict(one)} for one in check_health()]


def limits() -> list[Row]:
    """Return how often somebody may call, in all and for single actions, and how long bodies may be."""
    from platform_core.system import SLUG, core_resources

    general = [
        _calls(CORE, name, general_limit_text(name), "all calls")
        for name in settings.PLATFORM_RATE_LIMITS
    ]
    resources = [(entry.owner, entry.item) for entry in installed().entries["resources"]]
    resources += [(SLUG, one) for one in core_resources()]
    of_actions = [
        _calls(slug, f"{slug}.{one.__name__}.{action}", text, action)
        for slug, one in resources
        for action, text in one.limits.items()
    ]
    core = settings.PLATFORM.deployment.core
    bodies = {"*/*": core.body_limit, **core.body_limits}
    return [
        *general,
        *of_actions,
        *(
            {
                "id": f"body {kind}",
                "plugin": CORE,
                "unit": "bytes",
                "of": kind,
                "amount": amount,
                "seconds": None,
            }
            for kind, amount in bodies.items()
        ),
    ]


def _calls(plugin: str, name: str, text: str, of: str) -> Row:
    limit = RateLimit.parse(name, text)
    return {
        "id": name,
        "plugin": plugin,
        "unit": "calls",
        "of": of,
        "amount": None if limit is None else limit.amount,
        "seconds": None if limit is None else limit.seconds,
    }
