"""Compare two snapshots: what is gained and lost, in a form that is equal whenever the same would happen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Snapshot = Mapping[str, Any]

TABLES_OF_FACTS = (
    "waiting",
    "routes",
    "permissions",
    "flags",
    "roles",
    "published_hooks",
    "implementations",
)
SEQUENCES = ("middleware", "django_apps", "authentication_backends", "api_authentication")
HOOKS = (
    "importers",
    "commands",
    "health_probes",
    "tasks",
    "schedules",
    "events",
    "subscriptions",
    "mails",
    "first_run",
    "grant_source",
)


def difference(before: Snapshot, after: Snapshot) -> dict[str, Any]:
    """Return what ``after`` has and ``before`` has not, and the other way round; parts without a change are absent."""
    found: dict[str, Any] = {
        "plugins": _plugins(before, after),
        "migrations": _migrations(before, after),
        "tables": _tables(before, after),
        "personal_data": _owned(before.get("personal_data", {}), after.get("personal_data", {})),
        **{name: _facts(before.get(name, {}), after.get(name, {})) for name in TABLES_OF_FACTS},
        **{name: _sequence(before.get(name, ()), after.get(name, ())) for name in SEQUENCES},
        "django_settings": _owned(
            before.get("django_settings", {}), after.get("django_settings", {})
        ),
        **{name: _contributed(before, after, name) for name in HOOKS},
        "settings": _settings(before, after),
    }
    if before.get("user_model") != after.get("user_model"):
        found["user_model"] = {"before": before.get("user_model"), "after": after["user_model"]}
    _add_roles(found.get("permissions") or {}, before, after)
    return {name: part for name, part in found.items() if part}


def _plugins(before: Snapshot, after: Snapshot) -> list[dict[str, Any]]:
    old, new = before.get("plugins", {}), after.get("plugins", {})
    return [
        {
            "slug": slug,
            "before": old.get(slug, {}).get("state", "available"),
            "after": new.get(slug, {}).get("state", "available"),
            "version": (new.get(slug) or old[slug])["version"],
            "distribution": (new.get(slug) or old[slug])["distribution"],
        }
        for slug in sorted({*old, *new})
        if old.get(slug, {}).get("state") != new.get(slug, {}).get("state")
    ]


def _migrations(before: Snapshot, after: Snapshot) -> list[dict[str, Any]]:
    """Return what ``migrate`` would apply; some of it may be pending in the present set too."""
    waiting = {(one["app"], one["name"]) for one in before.get("pending", ())}
    return [
        {**one, "already_pending": (one["app"], one["name"]) in waiting}
        for one in after.get("pending", ())
    ]


def _tables(before: Snapshot, after: Snapshot) -> dict[str, Any]:
    """Return the tables that models gain or lose; one that stands in the database already keeps its rows."""
    standing = set(after.get("standing_tables", ()))
    found = _owned(before.get("tables", {}), after.get("tables", {}))
    for one in (*found.get("gained", ()), *found.get("lost", ())):
        one["standing"] = one["name"] in standing
    return found


def _owned(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, Any]:
    return _nonempty(
        gained=[{"name": name, "owner": after[name]} for name in sorted({*after} - {*before})],
        lost=[{"name": name, "owner": before[name]} for name in sorted({*before} - {*after})],
    )


def _facts(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Compare named things with facts about them; one whose facts differ is changed."""
    return _nonempty(
        gained=[{"name": name, **after[name]} for name in sorted({*after} - {*before})],
        lost=[{"name": name, **before[name]} for name in sorted({*before} - {*after})],
        changed=[
            {"name": name, "before": before[name], "after": after[name]}
            for name in sorted({*before} & {*after})
            if before[name] != after[name]
        ],
    )


def _sequence(before: Iterable[str], after: Iterable[str]) -> dict[str, Any]:
    old, new = list(before), list(after)
    return _nonempty(
        gained=[name for name in new if name not in old],
        lost=[name for name in old if name not in new],
    )


def _contributed(before: Snapshot, after: Snapshot, hook: str) -> dict[str, Any]:
    old, new = (
        {one["name"]: one["owner"] for one in side.get("contributions", {}).get(hook, ())}
        for side in (before, after)
    )
    return _owned(old, new)


def _settings(before: Snapshot, after: Snapshot) -> dict[str, Any]:
    """Return the settings of the plugins that become enabled; their values are in no snapshot."""
    was_enabled = {
        slug for slug, one in before.get("plugins", {}).items() if one["state"] == "enabled"
    }
    return {
        slug: after["settings"][slug]
        for slug, one in sorted(after.get("plugins", {}).items())
        if one["state"] == "enabled"
        and slug not in was_enabled
        and after.get("settings", {}).get(slug)
    }


def _add_roles(permissions: Mapping[str, Any], before: Snapshot, after: Snapshot) -> None:
    """Say of each permission which roles gain or lose it: contributed ones, and those of the database."""
    for part, side in (("gained", after), ("lost", before)):
        roles = _holders(side)
        for one in permissions.get(part, ()):
            one["roles"] = sorted(name for name, held in roles.items() if one["name"] in held)


def _holders(side: Snapshot) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {
        name: set(one["permissions"]) for name, one in side.get("roles", {}).items()
    }
    for name, held in side.get("stored_roles", {}).items():
        found[name] = found.get(name, set()) | set(held)
    return found


def _nonempty(**parts: list[Any]) -> dict[str, Any]:
    return {name: part for name, part in parts.items() if part}
