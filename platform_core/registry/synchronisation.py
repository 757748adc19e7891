"""After migrations: write the ledger, create declared flags, hand roles to the grant source."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from platform_core.audit import Event, record
from platform_core.events.keeping import forget_deliveries
from platform_core.registry.contents import Registry, installed
from platform_core.registry.provenance import STANDING_KINDS, contents

PLACE_LENGTH = 500
BATCH = 500


def after_migrate(*, using: str, plan: Any = None, **_: Any) -> None:
    """Synchronise the database with the registry; runs once, after the migrations of all applications."""
    if using == "default":
        synchronise()


def synchronise() -> None:
    """Bring ledger, flags and default roles up to the loaded plugins, in one transaction."""
    registry = installed()
    call_command("createcachetable", verbosity=0)
    with transaction.atomic():
        _write_ledger(registry)
        _create_flags(registry)
        forget_deliveries(registry)
        for source in registry.contributions("grant_source"):
            source.synchronise(
                registry.contributions("permissions"), registry.contributions("roles")
            )


def _write_ledger(registry: Registry) -> None:
    from platform_core.models import PluginRecord

    digest, now = registry.digest(), timezone.now()
    known = {record.slug: record for record in PluginRecord.objects.select_for_update()}
    for plugin in registry.plugins:
        facts: dict[str, Any] = {
            "distribution": plugin.candidate.distribution,
            "version": plugin.candidate.version,
            "state": plugin.state,
            "digest": digest,
            "contents_digest": registry.digest_of(plugin),
        }
        record = known.get(plugin.slug)
        if record is None or record.state != plugin.state:
            facts["state_since"] = now
        if record is None or (record.state, record.version) != (facts["state"], facts["version"]):
            _tell_of_state(record, plugin.slug, facts)
        if record is None:
            PluginRecord.objects.create(slug=plugin.slug, changed_at=now, **facts)
        elif any(getattr(record, name) != value for name, value in facts.items()):
            PluginRecord.objects.filter(slug=plugin.slug).update(changed_at=now, **facts)
    left_out = [one.slug for one in settings.PLATFORM.resolution.held_back if one.state == "broken"]
    PluginRecord.objects.filter(slug__in=left_out).exclude(state="broken").update(
        changed_at=now, state_since=now, state="broken"
    )
    _write_contents(registry)


def _tell_of_state(before: Any, slug: str, facts: dict[str, Any]) -> None:
    """Record in the audit trail that a plugin has come, changed its state, or another version of it was loaded."""
    details = {name: facts[name] for name in ("state", "version")}
    if before is not None:
        details |= {"state_before": before.state, "version_before": before.version}
    is_upgrade = before is not None and before.state == facts["state"]
    record(
        Event(
            action="plugin.upgraded" if is_upgrade else f"plugin.{facts['state']}",
            plugin=slug,
            target_type="plugin",
            target_id=slug,
            details=details,
        )
    )


def _write_contents(registry: Registry) -> None:
    """Bring the recorded contributions up to the loaded ones; a dormant plugin keeps those of its last time."""
    from platform_core.models import PluginContribution

    recorded: dict[str, dict[tuple[str, str], PluginContribution]] = {}
    for row in PluginContribution.objects.filter(plugin__in=[one.slug for one in registry.plugins]):
        recorded.setdefault(row.plugin_id, {})[row.kind, row.name] = row
    written: list[PluginContribution] = []
    gone: list[int] = []
    found = contents(registry)
    for plugin in registry.plugins:
        rows = recorded.get(plugin.slug, {})
        for one in found[plugin.slug]:
            facts = (plugin.candidate.version, one.place[:PLACE_LENGTH], one.facts)
            known = rows.pop((one.kind, one.name), None)
            if known is None or (known.version, known.place, known.facts) != facts:
                version, place, details = facts
                row = PluginContribution(plugin_id=plugin.slug, kind=one.kind, name=one.name)
                row.version, row.place, row.facts = version, place, details
                written.append(row)
        gone += [row.pk for row in rows.values() if plugin.enabled or row.kind in STANDING_KINDS]
    PluginContribution.objects.filter(pk__in=gone).delete()
    PluginContribution.objects.bulk_create(
        written,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["plugin", "kind", "name"],
        update_fields=["version", "place", "facts"],
    )


def _create_flags(registry: Registry) -> None:
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
