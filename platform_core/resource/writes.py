"""The writes of a resource: old row in scope, save, new row in scope, otherwise nothing happened."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from django.http import Http404, HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, PermissionDenied, ValidationError

from platform_core.access import acting_as
from platform_core.errors import Conflict
from platform_core.resource.conditional import require_match
from platform_core.resource.declared import decoder_of, has_version
from platform_core.resource.field_access import names_of_protected
from platform_core.resource.gate import refuse
from platform_core.resource.inputs import refuse_body, validated
from platform_core.resource.versions import snapshot_at, way_back

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from django.db.models import QuerySet

    from platform_core.access import Actor, Rule
    from platform_core.resource.operations import Operation
    from platform_core.resource.serializers import ModelSerializer


REVERTED_TO = "reverted to version"


class ReasonSerializer(serializers.Serializer[Any]):
    """Why something is done, as history keeps it."""

    reason = serializers.CharField(max_length=500, required=False, allow_blank=True)


class Writes:
    """What ``Resource`` does to rows; every method runs inside the request's transaction."""

    actor: Actor
    policy: ClassVar[Any]
    model: ClassVar[Any]
    kwargs: Any
    parent: Any
    request: Any
    visible: Callable[[], QuerySet[Any]]
    accessible: Any
    """The ``AccessibleFields`` of the actor."""
    readable_here: Callable[[], Collection[str]]
    get_serializer: Callable[..., Any]
    get_serializer_context: Callable[[], dict[str, Any]]
    respond: Callable[..., HttpResponse]
    answer_row: Callable[..., HttpResponse]
    row_in_scope: Callable[..., Mapping[str, Any] | None]
    requires_match: ClassVar[bool]
    body: Any
    """What the client sent for the row at hand."""
    created_id: Any = None
    """The id of the row that was created last."""
    if_match: str | None
    """The states of the row that the client accepts to change, as in ``If-Match``."""

    # Hooks for plugins

    def create_object(self, serializer: ModelSerializer) -> Any:
        """Create the object of the valid ``serializer`` and return it; override to call a service."""
        return serializer.save()

    def update_object(self, serializer: ModelSerializer) -> Any:
        """Change ``serializer.instance`` and return it; override to call a service."""
        return serializer.save()

    def delete_object(self, obj: Any) -> None:
        """Delete ``obj`` softly; override to call a service."""
        obj.delete()

    def restore_object(self, obj: Any) -> None:
        """Bring the deleted ``obj`` back; override to call a service."""
        obj.restore()

    def unsaved_object(self, serializer: ModelSerializer) -> Any:
        """Return the object as it would be created, for the decision before anything is written."""
        values = {
            field.name: serializer.validated_data[field.name]
            for field in self.model._meta.concrete_fields
            if field.name in serializer.validated_data
        }
        return self.model(**values)

    # Actions

    def create(self) -> HttpResponse:
        """Create one row; 201 with its place in ``Location``."""
        created = self.created()
        self.created_id = created.pk
        found = self.verified("add", created.pk, self.rules_of_written())
        response = self.answer_row(found, status=201)
        place = self.request.path.removesuffix("bulk/create/").split("/")
        if self.parent is not None:
            del place[-4:-2]  # the row's own address is not below its parent
        response["Location"] = f"{'/'.join(place)}{created.pk}/"
        return response

    def created(self) -> Any:
        """Return the new row that ``body`` says: by its decoded values where everything is as the core does it, else by the hooks."""
        cls: Any = type(self)
        decoder = decoder_of(cls)
        values = None if decoder is None else decoder.decode(self.body, self.actor)
        if values is None:
            serializer = self.get_serializer(data=self.body)
            serializer.is_valid(raise_exception=True)
            unsaved = self.unsaved_object(serializer)
            self.require("add", unsaved)
            self._require_settable(unsaved)
            return self.create_object(serializer)
        created = self.model(**values)
        self.require("add", created)
        created.save(force_insert=True)
        return created

    def _require_settable(self, unsaved: Any) -> None:
        """Refuse fields of the body that may not be set in a row like ``unsaved``."""
        refused = {
            name: [ErrorDetail(str(_("This field cannot be set.")), "read_only")]
            for name, rule in self.rules_of_written().items()
            if not rule.test(self.actor, unsaved)
        }
        if refused:
            raise ValidationError(refused)

    def update(self) -> HttpResponse:
        """Replace one row's fields."""
        return self._change(partial=False)

    def partial_update(self) -> HttpResponse:
        """Change the fields given."""
        return self._change(partial=True)

    def _change(self, *, partial: bool) -> HttpResponse:
        return self._saved(self.locked(self.visible(), "change"), partial=partial)

    def _saved(self, obj: Any, *, partial: bool) -> HttpResponse:
        return self.answer_row(self.changed(self.valid_change(obj, partial=partial)))

    def valid_change(self, obj: Any, *, partial: bool) -> ModelSerializer:
        """Return the serializer of ``obj`` with what ``body`` changes of it, validated."""
        serializer: ModelSerializer = self.get_serializer(obj, data=self.body, partial=partial)
        serializer.is_valid(raise_exception=True)
        return serializer

    def changed(self, serializer: ModelSerializer) -> Mapping[str, Any]:
        """Write the change of a valid ``serializer`` and return the row's JSON object."""
        written = self.update_object(serializer)
        return self.verified("change", written.pk, self.rules_of_written())

    def destroy(self) -> HttpResponse:
        """Delete one row softly; 409 while others refer to it."""
        self.delete_object(self.locked(self.visible(), "delete"))
        return HttpResponse(status=204)

    def restore(self) -> HttpResponse:
        """Bring a deleted row back; one that is not deleted is not found here."""
        refuse_body(self.body)
        deleted = self.model.all_objects.filter(deleted_at__isnull=False)
        obj = self.locked(self.policy.scope(self.actor, deleted), "restore")
        self.restore_object(obj)
        return self.answer_row(self.verified("restore", obj.pk))

    def revert(self) -> HttpResponse:
        """Bring one row back to an earlier version: a change like any other, with a reason in its history."""
        given = validated(ReasonSerializer(data=self.body))
        version = self.kwargs["version"]
        obj = self.locked(self.visible(), "change")
        readable = self.readable_here()
        snapshot = snapshot_at(self.model, self.get_serializer(), readable, obj.pk, version)
        reason = given.get("reason") or f"{REVERTED_TO} {version}"
        self.body = way_back(self.get_serializer(obj), snapshot)
        with acting_as(self.actor, reason=reason):
            return self._saved(obj, partial=True)

    def perform(self, operation: Operation) -> HttpResponse:
        """Run ``operation`` on one row; afterwards the row has to be one that the actor may view."""
        obj = self.locked(self.visible(), operation.verb)
        data = self._operation_input(operation)
        if operation.when is not None and not operation.when(obj):
            raise Conflict(operation.reason, code="not_possible")
        if operation.background:
            from platform_core.resource import (
                background,
            )  # operations are served by a resource themselves

            if background.goes_to_background(self, operation):  # type: ignore[arg-type]  # composed into Resource
                return background.start(self, operation)  # type: ignore[arg-type]
        result = getattr(self, operation.method)(obj, data)
        shown = self.verified("view", obj.pk)
        return self.answer_row(shown) if result is None else self.respond(result)

    def _operation_input(self, operation: Operation) -> Mapping[str, Any]:
        body = self.body
        if operation.serializer_class is not None:
            return validated(
                operation.serializer_class(data=body, context=self.get_serializer_context())
            )
        refuse_body(body)
        return {}

    # Checks

    def locked(self, queryset: QuerySet[Any], action: str) -> Any:
        """Return the route's row of ``queryset``, locked until the end of the transaction, if ``action`` is allowed.

        Raises ``Http404`` for a row that is not there, the refusal for one that is, and ``PreconditionFailed`` when
        ``If-Match`` names other states of it.
        """
        obj = queryset.select_for_update(of=("self",)).filter(pk=self.kwargs["id"]).first()
        if obj is None:
            raise Http404
        self.require(action, obj)
        if has_version(self.model):
            require_match(self.if_match, obj, required=self.requires_match)
        return obj

    def require(self, action: str, obj: Any) -> None:
        """Raise the refusal unless the policy allows ``action`` on ``obj``."""
        decision = self.policy.decide(self.actor, action, obj)
        if not decision:
            refuse(self.actor, decision)

    def rules_of_written(self) -> Mapping[str, Rule]:
        """Return by name the rules about the row under which the fields of the body may be set."""
        rules: Mapping[str, Rule] = self.accessible.writable_where
        return {name: rules[name] for name in rules if name in self.body}

    def verified(
        self, action: str, pk: Any, rules: Mapping[str, Rule] = MappingProxyType({})
    ) -> Mapping[str, Any]:
        """Return the JSON object of the row as it was written, if ``action`` and ``rules`` still allow it.

        Judged by the rows in the database. Raises ``PermissionDenied``, which undoes the write.
        """
        found = self.row_in_scope(self.policy.permission(action), pk, deleted_too=True)
        if found is None or not self._hold(set(rules.values()), pk):
            raise PermissionDenied(_("You may not bring it into this state."))
        return found

    def _hold(self, rules: Collection[Rule], pk: Any) -> bool:
        rows = self.model._base_manager.filter(pk=pk)
        for rule in rules:
            rows = rows.filter(rule.q(self.actor, self.model))
        return not rules or rows.exists()

    def columns_not_named(self) -> Collection[str]:
        """Return the columns that a refusal does not name: neither sent nor readable wherever they may be."""
        body = getattr(self, "body", None)
        sent = body if isinstance(body, dict) else {}
        cls: Any = type(self)
        return {
            column
            for column, names in names_of_protected(cls).items()
            if not any(one in sent or self.accessible.is_readable_everywhere(one) for one in names)
        }
