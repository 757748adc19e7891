"""Users, units, roles, assignments and login sessions over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from platform_core.access import Policy
from platform_core.resource import ModelSerializer, Resource, ScopedRelatedField, operation
from platform_identity import rules
from platform_identity.models import LoginSession, OrgUnit, Role, RoleAssignment, User
from platform_identity.services import assignments, roles, sessions, units, users

_KEPT = ("id", "created_at", "updated_at", "version")
_NO_RESTORE = ("list", "retrieve", "history", "create", "update", "partial_update", "destroy")


class UserSerializer(ModelSerializer):
    """A user without anything secret: there is no password here to read or to write."""

    class Meta:
        model = User
        fields = ("id", "email", "display_name", "language", "suspended_at", *_KEPT[1:])
        read_only_fields = ("suspended_at", *_KEPT)


class UserResource(Resource):
    """People with an account; they set their password by the reset flow."""

    model = User
    serializer_class = UserSerializer
    policy = Policy.standard(
        "identity.user",
        suspend=rules.SUSPEND_USER,
        reactivate=rules.REACTIVATE_USER,
        export=rules.EXPORT_USER,
    )
    filterset_fields = {"email": ["exact"], "suspended_at": ["isnull"]}
    search_fields = ("email", "display_name")
    ordering = "email"
    ordering_fields = ("display_name", "created_at")

    def create_object(self, serializer: ModelSerializer) -> User:
        """Create the user by the service."""
        return users.create_user(**serializer.validated_data)

    def update_object(self, serializer: ModelSerializer) -> User:
        """Change the user by the service."""
        return users.update_user(
            user=cast("User", serializer.instance),
            changed_by=self.actor,
            **serializer.validated_data,
        )

    def delete_object(self, obj: User) -> None:
        """Delete the user by the service."""
        users.delete_user(user=obj)

    @operation(
        verb="suspend",
        when=lambda user: user.suspended_at is None,
        reason=_("The user is suspended already."),
    )
    def suspend(self, user: User, data: Mapping[str, Any]) -> None:
        """Shut the user out from the next request on."""
        users.suspend_user(user=user)

    @operation(
        verb="reactivate",
        when=lambda user: user.suspended_at is not None,
        reason=_("The user is not suspended."),
    )
    def reactivate(self, user: User, data: Mapping[str, Any]) -> None:
        """Let the user sign in again."""
        users.reactivate_user(user=user)


class OrgUnitSerializer(ModelSerializer):
    """A unit; its path is derived from its parent."""

    class Meta:
        model = OrgUnit
        fields = ("id", "name", "kind", "parent", *_KEPT[1:])
        read_only_fields = _KEPT


class OrgUnitResource(Resource):
    """The tree of organisational units."""

    model = OrgUnit
    serializer_class = OrgUnitSerializer
    name = "org-units"
    policy = Policy.standard("identity.orgunit", export=rules.EXPORT_UNIT)
    filterset_fields = {"parent": ["exact", "isnull"], "kind": ["exact"]}
    search_fields = ("name",)
    ordering = "name"
    ordering_fields = ("created_at",)

    def create_object(self, serializer: ModelSerializer) -> OrgUnit:
        """Add the unit by the service."""
        return units.create_unit(**serializer.validated_data)

    def update_object(self, serializer: ModelSerializer) -> OrgUnit:
        """Rename or move the unit by the services."""
        unit = cast("OrgUnit", serializer.instance)
        values = dict(serializer.validated_data)
        parent = values.pop("parent", unit.parent)
        if parent != unit.parent:
            unit = units.move_unit(unit=unit, parent=parent)
        return units.update_unit(unit=unit, **values)


class RoleSerializer(ModelSerializer):
    """A role; what it effectively holds is derived."""

    inherits = ScopedRelatedField(many=True, queryset=Role.objects.all(), required=False)

    class Meta:
        model = Role
        fields = (
            "id",
            "name",
            "title",
            "permissions",
            "inherits",
            "effective_permissions",
            "holds_all",
            "provided_by",
            *_KEPT[1:],
        )
        read_only_fields = ("effective_permissions", "holds_all", "provided_by", *_KEPT)


class RoleResource(Resource):
    """Named sets of permissions; those that plugins ship cannot be changed.

    Whoever changes one has to say which state they have seen: of two lists of permissions the later would win unseen.
    """

    model = Role
    serializer_class = RoleSerializer
    policy = Policy(
        view="identity.view_role",
        add="identity.add_role",
        change="identity.change_role",
        delete="identity.delete_role",
    )
    actions = _NO_RESTORE
    filterset_fields = {"provided_by": ["exact"]}
    search_fields = ("name", "title")
    ordering = "name"
    requires_match = True

    def get_queryset(self) -> QuerySet[Role]:
        """Return the live roles, with what they inherit from in one more query for all."""
        found: QuerySet[Role] = Role.objects.prefetch_related("inherits")
        return found

    def create_object(self, serializer: ModelSerializer) -> Role:
        """Make the role by the service."""
        return roles.create_role(made_by=self.actor, **serializer.validated_data)

    def update_object(self, serializer: ModelSerializer) -> Role:
        """Change the role by the service."""
        return roles.update_role(
            role=cast("Role", serializer.instance),
            changed_by=self.actor,
            **serializer.validated_data,
        )

    def delete_object(self, obj: Role) -> None:
        """Delete the role by the service."""
        roles.delete_role(role=obj)


class RoleAssignmentSerializer(ModelSerializer):
    """An assignment; once made only its dates can be changed."""

    class Meta:
        model = RoleAssignment
        fields = (
            "id",
            "user",
            "role",
            "scope",
            "unit",
            "object_model",
            "object_id",
            "starts_at",
            "ends_at",
            *_KEPT[1:],
        )
        read_only_fields = ("scope", *_KEPT)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse to turn an assignment into another one."""
        if self.instance is not None:
            fixed = [
                name
                for name in ("user", "role", "unit", "object_model", "object_id")
                if name in attrs and attrs[name] != getattr(self.instance, name)
            ]
            if fixed:
                message = _("This cannot be changed; make another assignment instead.")
                raise serializers.ValidationError({name: [message] for name in fixed})
        return attrs


class RoleAssignmentResource(Resource):
    """Who has which role, where, from when to when."""

    model = RoleAssignment
    serializer_class = RoleAssignmentSerializer
    policy = Policy(
        view=rules.VIEW_ASSIGNMENT,
        add="identity.add_roleassignment",
        change="identity.change_roleassignment",
        delete="identity.delete_roleassignment",
    )
    actions = _NO_RESTORE
    filterset_fields = {"user": ["exact"], "role": ["exact"], "unit": ["exact"]}
    ordering = "created_at"

    def create_object(self, serializer: ModelSerializer) -> RoleAssignment:
        """Give the role by the service, which refuses what the giver does not hold."""
        return assignments.assign_role(granted_by=self.actor, **serializer.validated_data)

    def update_object(self, serializer: ModelSerializer) -> RoleAssignment:
        """Change the dates by the service."""
        assignment = cast("RoleAssignment", serializer.instance)
        values = serializer.validated_data
        return assignments.reschedule_assignment(
            assignment=assignment,
            changed_by=self.actor,
            starts_at=values.get("starts_at", assignment.starts_at),
            ends_at=values.get("ends_at", assignment.ends_at),
        )

    def delete_object(self, obj: RoleAssignment) -> None:
        """Take the role away by the service."""
        assignments.unassign_role(assignment=obj)


class LoginSessionSerializer(ModelSerializer):
    """A sign-in; the key of its web session and its tokens are never shown."""

    class Meta:
        model = LoginSession
        fields = (
            "id",
            "user",
            "kind",
            "user_agent",
            "ip",
            "created_at",
            "last_used_at",
            "expires_at",
            "revoked_at",
            "revoked_reason",
        )
        read_only_fields = fields


class LoginSessionResource(Resource):
    """Where somebody is signed in; people see and end their own."""

    model = LoginSession
    serializer_class = LoginSessionSerializer
    name = "sessions"
    policy = Policy(view=rules.VIEW_SESSION, revoke=rules.REVOKE_SESSION)
    actions = ("list", "retrieve")
    filterset_fields = {"user": ["exact"], "revoked_at": ["isnull"]}
    ordering = "-created_at"
    ordering_fields = ("last_used_at",)

    @operation(
        verb="revoke",
        when=lambda session: session.revoked_at is None,
        reason=_("The session is over already."),
    )
    def revoke(self, session: LoginSession, data: Mapping[str, Any]) -> None:
        """Sign the device out from the next request on."""
        sessions.revoke_session(session=session)
