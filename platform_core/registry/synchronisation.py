"""After migrations: write the ledger, create declared flags, hand roles to the grant source."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone


def after_migrate(*, using: str, plan: Any = None, **_: Any) -> None:
    """Synchronise the database with the registry; runs once, after the migrations of all applications."""
    if using == "default":
        synchronise()


def synchronise() -> None:
    """Bring ledger, flags and default roles up to the loaded plugins, in one transaction."""
    from platform_core.registry.contents import installed

    registry = installed()
    call_command("createcachetable", verbosity=0)
    with transaction.atomic():
        _write_ledger(registry)
        _create_flags(registry)
        for source in registry.contributions("grant_source"):
            source.synchronise(
                registry.contributions("permissions"), registry.contributions("roles")
            )


def _write_ledger(registry: Any) -> None:
    from platform_core.models import PluginRecord

    digest = registry.digest()
    known = {record.slug: record for record in PluginRecord.objects.select_for_update()}
    for plugin in registry.plugins:
        facts = {
            "distribution": plugin.candidate.distribution,
            "version": plugin.candidate.version,
            "state": plugin.state,
            "digest": digest,
        }
        record = known.get(plugin.slug)
        if record is None:
            PluginRecord.objects.create(slug=plugin.slug, changed_at=timezone.now(), **facts)
        elif any(getattr(record, name) != value for name, value in facts.items()):
            PluginRecord.objects.filter(slug=plugin.slug).update(changed_at=timezone.now(), **facts)
    left_out = [one.slug for one in settings.PLATFORM.resolution.held_back if one.state == "broken"]
    PluginRecord.objects.filter(slug__in=left_out).exclude(state="broken").update(
        changed_at=timezone.now(), state="broken"
    )


def _create_flags(registry: Any) -> None:
    """Create missing flags at their default; what an operator has switched stays as it is."""
    from waffle import get_waffle_flag_model

    model = get_waffle_flag_model()

    model.objects.bulk_create(
        [
            model(
                name=flag.name,
                everyone=flag.default or None,
                superusers=False,
                note=f"{flag.owner}, expires {flag.expires_on.isoformat()}",
            )
            for flag in registry.contributions("flags")
        ],
        ignore_conflicts=True,
    )
