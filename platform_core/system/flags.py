"""Feature flags over HTTP: what plugins declare and what an operator has switched; nobody makes one here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from waffle import get_waffle_flag_model

from platform_core.access import Granted, Policy
from platform_core.contributions import Permission
from platform_core.errors import Conflict
from platform_core.models import AuditEvent, PluginContribution
from platform_core.registry.contents import installed
from platform_core.resource import ModelSerializer, Resource

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django_stubs_ext import StrOrPromise

VIEW_FLAGS = "system.view_flags"
VIEW_CHANGES = "system.view_flag_changes"
CHANGE_FLAGS = "system.change_flags"

Flag = get_waffle_flag_model()

PERMISSIONS = (
    Permission(
        name=VIEW_FLAGS,
        title=_("View feature flags"),
        rule=Granted(VIEW_FLAGS),
        model=Flag._meta.label,
    ),
    Permission(
        name=CHANGE_FLAGS,
        title=_("Switch feature flags"),
        rule=Granted(CHANGE_FLAGS),
        model=Flag._meta.label,
    ),
    Permission(
        name=VIEW_CHANGES,
        title=_("View who switched feature flags"),
        rule=Granted(VIEW_CHANGES),
        model=AuditEvent._meta.label,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredFlag:
    """What a plugin says about a flag; ``in_force`` while the plugin is enabled in this process."""

    plugin: str
    title: StrOrPromise
    owner: str
    expires_on: dt.date | None
    in_force: bool


def declared_flags() -> dict[str, DeclaredFlag]:
    """Return by name what enabled plugins declare, and what the ledger keeps of those that are not; one query."""
    found = {
        entry.key: DeclaredFlag(
            plugin=entry.owner,
            title=entry.item.title,
            owner=entry.item.owner,
            expires_on=entry.item.expires_on,
            in_force=True,
        )
        for entry in installed().entries["flags"]
    }
    enabled = [plugin.slug for plugin in installed().plugins if plugin.enabled]
    kept = PluginContribution.objects.filter(kind="flags").exclude(plugin__in=enabled)
    for plugin, name, facts in kept.values_list("plugin_id", "name", "facts"):
        expires_on = facts.get("expires_on")
        found[name] = DeclaredFlag(
            plugin=plugin,
            title="",
            owner=str(facts.get("owner", "")),
            expires_on=None if expires_on is None else dt.date.fromisoformat(expires_on),
            in_force=False,
        )
    return found


class FlagSerializer(ModelSerializer):
    """A flag: who declares it, until when it is meant to last, and for whom it is on.

    ``everyone`` decides when it is true or false; when it is null, ``percent`` of all callers find the flag on, always
    the same ones.
    """

    plugin = serializers.SerializerMethodField()
    title = serializers.SerializerMethodField()
    owner = serializers.SerializerMethodField()
    expires_on = serializers.SerializerMethodField()
    expired = serializers.SerializerMethodField()
    in_force = serializers.SerializerMethodField()
    state = serializers.SerializerMethodField()
    percent = serializers.DecimalField(
        max_digits=3, decimal_places=1, min_value=0, allow_null=True, required=False
    )

    class Meta:
        model = Flag
        fields = (
            "id",
            "name",
            "plugin",
            "title",
            "owner",
            "expires_on",
            "expired",
            "in_force",
            "state",
            "everyone",
            "percent",
            "modified",
        )
        read_only_fields = ("id", "name", "modified")

    def _declared(self, flag: Any) -> DeclaredFlag:
        found: DeclaredFlag = self.context["view"].declared[flag.name]
        return found

    def get_plugin(self, flag: Any) -> str:
        """Return the slug of the plugin that declares it."""
        return self._declared(flag).plugin

    def get_title(self, flag: Any) -> str:
        """Return what it switches; empty while the plugin is not enabled."""
        return str(self._declared(flag).title)

    def get_owner(self, flag: Any) -> str:
        """Return the person or team that sees to it that the flag goes away."""
        return self._declared(flag).owner

    def get_expires_on(self, flag: Any) -> dt.date | None:
        """Return the day by which it has to be gone."""
        return self._declared(flag).expires_on

    def get_expired(self, flag: Any) -> bool:
        """Tell whether that day is past; the flag goes on to work."""
        expires_on = self._declared(flag).expires_on
        return expires_on is not None and expires_on < timezone.localdate()

    def get_in_force(self, flag: Any) -> bool:
        """Tell whether the plugin is enabled; the flags of one that is not are off."""
        return self._declared(flag).in_force

    def get_state(self, flag: Any) -> str:
        """Return ``on`` or ``off`` for everybody, or ``partly``."""
        if not self._declared(flag).in_force or flag.everyone is False:
            return "off"
        if flag.everyone:
            return "on"
        return "partly" if flag.percent or _has_audience(flag) else "off"


def _has_audience(flag: Any) -> bool:
    """Tell whether waffle's own tables say that it is on for some; nothing of the platform writes those."""
    return bool(
        flag.authenticated or flag.staff or flag.superusers or flag.languages or flag.testing
    )


class FlagResource(Resource):
    """The flags that plugins declare; switching one is felt by the next request of every process.

    A flag appears with the plugin that declares it, by ``platformctl migrate``. Those of a dormant plugin are off, and
    keep what was chosen for the day it is enabled again.
    """

    model = Flag
    serializer_class = FlagSerializer
    name = "flags"
    id_converter = "int"
    actions = ("list", "retrieve", "partial_update")
    policy = Policy(view=VIEW_FLAGS, change=CHANGE_FLAGS)
    ordering = "name"
    ordering_fields = ("modified",)
    filterset_fields = {"name": ["exact", "in"], "everyone": ["exact", "isnull"]}
    search_fields = ("name",)

    @cached_property
    def declared(self) -> Mapping[str, DeclaredFlag]:
        """What is declared, as the request found it."""
        return declared_flags()

    def get_queryset(self) -> QuerySet[Any]:
        """Return the declared flags; what somebody else left in the table is none of the platform's."""
        found: QuerySet[Any] = Flag.objects.filter(name__in=[*self.declared])
        return found

    def update_object(self, serializer: ModelSerializer) -> Any:
        """Switch the flag; one of a plugin that is not enabled can only be switched off."""
        flag: Any = serializer.instance
        declared = self.declared[flag.name]
        given = serializer.validated_data
        if not declared.in_force and (given.get("everyone") or given.get("percent")):
            raise Conflict(
                _(
                    'The plugin {plugin} is not enabled, so its flags are off. Enable it first: "platformctl plugin enable {plugin}".'
                ).format(plugin=declared.plugin),
                code="plugin_not_enabled",
            )
        before = _switch(flag)
        changed = serializer.save()
        self.audit_details = {"flag": flag.name, "before": before, "after": _switch(changed)}
        return changed


class FlagChangeSerializer(ModelSerializer):
    """That a flag was switched: by whom, from what, to what."""

    flag = serializers.SerializerMethodField()
    before = serializers.SerializerMethodField()
    after = serializers.SerializerMethodField()

    class Meta:
        model = AuditEvent
        fields = (
            "id",
            "at",
            "actor_id",
            "actor_kind",
            "request_id",
            "target_id",
            "flag",
            "before",
            "after",
        )
        read_only_fields = fields

    def get_flag(self, event: Any) -> str:
        """Return the name of the flag."""
        return str(event.details.get("flag", ""))

    def get_before(self, event: Any) -> dict[str, Any]:
        """Return how it was switched before."""
        return dict(event.details.get("before", {}))

    def get_after(self, event: Any) -> dict[str, Any]:
        """Return how it was switched then."""
        return dict(event.details.get("after", {}))


class FlagChangeResource(Resource):
    """The history of flags, newest first, as the audit trail knows it; ``target_id`` is the flag's id."""

    model = AuditEvent
    serializer_class = FlagChangeSerializer
    name = "flag-changes"
    id_converter = "int"
    actions = ("list", "retrieve")
    policy = Policy(view=VIEW_CHANGES)
    ordering = "-id"
    filterset_fields = {"target_id": ["exact"], "actor_id": ["exact"], "at": ["gte", "lt"]}

    def get_queryset(self) -> QuerySet[Any]:
        """Return what switched a flag; refused attempts are in the audit trail only."""
        return AuditEvent.objects.filter(
            target_type=Flag._meta.label_lower, action="update", outcome="done"
        )


def _switch(flag: Any) -> dict[str, Any]:
    return {
        "everyone": flag.everyone,
        "percent": None if flag.percent is None else str(flag.percent),
    }
