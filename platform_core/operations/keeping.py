"""What is kept of operations that have ended: how many files of exports one person may have, and how they go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction
from django.db.models import Count, Min, Q, Sum
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from platform_core.conf import core_settings
from platform_core.errors import Conflict
from platform_core.models import Operation
from platform_core.operations import files

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from platform_core.access import Actor

EXPORT: Final = ".export"
"""How the kind of an operation ends that makes the file of an export."""
_ENDED_WITHOUT: Final = (Operation.State.FAILED, Operation.State.CANCELLED)
_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


class TooManyFiles(Conflict):
    """Whoever asks keeps as many files of exports as one may, or as large ones."""

    code = "too_many_files"


def require_place(actor: Actor) -> None:
    """Raise ``TooManyFiles`` unless ``actor`` may keep the file of one more export.

    Call it in the transaction that starts the export: others of the same actor wait until it ends, so that the limit
    is exact. What is being made counts, with its bytes once they are known.
    """
    _wait_for_others(actor)
    core = core_settings()
    kept = _kept_by(actor).aggregate(
        number=Count("pk"), size=Sum("file_size"), first=Min("expires_at")
    )
    if kept["number"] >= core.export_files:
        message = _(
            "You have {number} files of exports, and may have {most}. Fetch and delete some of them "
            "(DELETE /api/v1/operations/<id>/), wait until the first expires at {first}, or export without "
            "Prefer: respond-async."
        )
        numbers = {"number": kept["number"], "most": core.export_files}
        raise TooManyFiles(
            format_lazy(message, **numbers, first=f"{kept['first']:%Y-%m-%dT%H:%MZ}")
        )
    if (kept["size"] or 0) >= core.export_bytes:
        raise _too_large()


def bytes_left(operation_id: UUID, actor: Actor) -> int:
    """Return how many bytes the file of an export may have beside the others that ``actor`` keeps."""
    others = _kept_by(actor).exclude(pk=operation_id).aggregate(size=Sum("file_size"))
    return core_settings().export_bytes - (others["size"] or 0)


def require_bytes(size: int, left: int) -> None:
    """Raise ``TooManyFiles`` when a file of ``size`` bytes is more than there is room ``left`` for."""
    if size > left:
        raise _too_large()


def take_bytes(operation_id: UUID, actor: Actor, size: int) -> None:
    """Note the bytes of an export's file before its operation ends; raises ``TooManyFiles`` when they are too many.

    Of two exports of one actor that end at once, the second sees what the first has taken.
    """
    with transaction.atomic():
        _wait_for_others(actor)
        require_bytes(size, bytes_left(operation_id, actor))
        Operation.objects.filter(pk=operation_id).update(file_size=size)


def delete_operation(operation: Operation) -> None:
    """Forget an operation that has ended, and its files with the commit; raises Conflict for one that has not."""
    if operation.finished_at is None:
        raise Conflict(_("It has not ended yet; cancel it first."), code="not_ended")
    operation_id = operation.pk
    operation.delete()
    transaction.on_commit(lambda: files.remove_files(operation_id))


def _wait_for_others(actor: Actor) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_ONE_AT_A_TIME, [f"platform_core.exports {actor.kind} {actor.id}"])


def _kept_by(actor: Actor) -> QuerySet[Operation]:
    """Return the exports of ``actor`` whose file lies there, or is being made or waited for."""
    lasts = Q(expires_at__gt=timezone.now()) | Q(finished_at__isnull=True)
    own = Operation.objects.filter(lasts, actor_id=actor.id, actor_kind=actor.kind)
    return own.filter(kind__endswith=EXPORT).exclude(state__in=_ENDED_WITHOUT)


def _too_large() -> TooManyFiles:
    message = _(
        "Your files of exports may have {most} together. Fetch and delete some of them "
        "(DELETE /api/v1/operations/<id>/), wait until they expire, narrow the list, or export without "
        "Prefer: respond-async."
    )
    most: Any = filesizeformat(core_settings().export_bytes)
    return TooManyFiles(format_lazy(message, most=most))
