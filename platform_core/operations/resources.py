"""``/api/v1/operations/``: what somebody started, how far it is, and what it came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from platform_core.access import FieldAccess, Granted, Policy, Where, actor
from platform_core.contributions import Permission
from platform_core.models import Operation, TaskRecord
from platform_core.operations.keeping import delete_operation
from platform_core.operations.starting import cancel_operation
from platform_core.resource.base import Resource
from platform_core.resource.operations import operation
from platform_core.resource.serializers import ModelSerializer

VIEW = "platform_core.view_operation"
CANCEL = "platform_core.cancel_operation"
DELETE = "platform_core.delete_operation"
PERMISSIONS = (
    Permission(
        name=VIEW,
        title=_("View operations of others"),
        rule=Where("actor_id", actor) | Granted(VIEW),
        model="platform_core.Operation",
    ),
    Permission(
        name=CANCEL,
        title=_("Cancel operations of others"),
        rule=Where("actor_id", actor) | Granted(CANCEL),
        model="platform_core.Operation",
    ),
    Permission(
        name=DELETE,
        title=_("Delete operations of others"),
        rule=Where("actor_id", actor) | Granted(DELETE),
        model="platform_core.Operation",
    ),
)
FINAL = (Operation.State.SUCCEEDED, Operation.State.FAILED, Operation.State.CANCELLED)


class ProgressSerializer(serializers.Serializer[Any]):
    """How far an operation is; ``total`` is 0 while nobody knows."""

    done = serializers.IntegerField()
    total = serializers.IntegerField()
    note = serializers.CharField()


class FileSerializer(serializers.Serializer[Any]):
    """The file that an operation made."""

    name = serializers.CharField()
    type = serializers.CharField()
    size = serializers.IntegerField()
    url = serializers.CharField()


class OperationSerializer(ModelSerializer):
    """An operation as whoever started it sees it."""

    progress = serializers.SerializerMethodField()
    file = serializers.SerializerMethodField()

    class Meta:
        model = Operation
        fields = (
            "id",
            "plugin",
            "kind",
            "state",
            "progress",
            "result",
            "problem",
            "file",
            "cancel_requested",
            "dry_run",
            "actor_id",
            "actor_kind",
            "created_at",
            "finished_at",
            "expires_at",
        )
        read_only_fields = fields

    def get_progress(self, found: Any) -> ProgressSerializer:
        """Return what the worker wrote last."""
        record = getattr(found, "task_record", None)
        if record is None:
            return {"done": 0, "total": 0, "note": ""}  # type: ignore[return-value]  # data of that shape
        return {  # type: ignore[return-value]  # data of that shape
            "done": record.progress_done,
            "total": record.progress_total,
            "note": record.progress_note,
        }

    @extend_schema_field(FileSerializer(allow_null=True))
    def get_file(self, found: Any) -> dict[str, Any] | None:
        """Return where the result's file is, when it made one."""
        if not found.file_token:
            return None
        return {
            "name": found.file_name,
            "type": found.file_type,
            "size": found.file_size,
            "url": f"/api/v1/operations/{found.pk}/file/",
        }


def _is_open(found: Any) -> bool:
    return found.state not in FINAL


class OperationResource(Resource):
    """Long work that was answered with 202. Everybody sees their own; other people's need a permission."""

    model = Operation
    serializer_class = OperationSerializer
    policy = Policy(view=VIEW, cancel=CANCEL, delete=DELETE)
    name = "operations"
    actions = ("list", "retrieve", "destroy")
    # What a call would have answered is for whoever could make it.
    field_rules = {"result": FieldAccess(view=Where("actor_id", actor))}
    ordering = "-created_at"
    filterset_fields = {
        "state": ["exact"],
        "kind": ["exact"],
        "plugin": ["exact"],
        "dry_run": ["exact"],
    }

    def represent(self, instances: Sequence[Any]) -> Sequence[Mapping[str, Any]]:
        """Return the JSON objects, with the progress of all of them read at once."""
        records = TaskRecord.objects.in_bulk([one.job_id for one in instances if one.job_id])
        for one in instances:
            one.task_record = records.get(one.job_id)
        found: Sequence[Mapping[str, Any]] = super().represent(instances)
        return found

    @operation(verb="cancel", when=_is_open, reason=_("It has ended already."))
    def cancel(self, found: Operation, data: Mapping[str, Any]) -> None:
        """Cancel it while it waits, or ask it to stop while it runs; what it did so far is undone."""
        cancel_operation(found)

    def delete_object(self, obj: Operation) -> None:
        """Forget one that has ended, with its file; raises Conflict for one that has not."""
        delete_operation(obj)
