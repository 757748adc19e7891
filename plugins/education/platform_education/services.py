"""Writes of education with a meaning of their own."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, TypeVar

from django.db import transaction

from platform_core.events import emit, emit_all
from platform_education.errors import AlreadyWithdrawn, WithdrawnBeforeBeginning
from platform_education.events import EnrollmentCreated, EnrollmentRestored, EnrollmentWithdrawn
from platform_education.models import Enrollment, EnrollmentStatus

AnyEnrollment = TypeVar("AnyEnrollment", bound=Enrollment)


def tell_of_enrollments(enrollments: Sequence[Enrollment]) -> None:
    """Tell others of new enrolments, by one statement, in the transaction that has written them."""
    emit_all([EnrollmentCreated(**_place(one)) for one in enrollments])


def tell_of_restored_enrollments(enrollments: Sequence[Enrollment]) -> None:
    """Tell others of enrolments that are back, by one statement, in the transaction that has brought them back."""
    emit_all(
        [EnrollmentRestored(**_place(one), is_enrolled=one.is_enrolled) for one in enrollments]
    )


def _place(enrollment: Any) -> dict[str, Any]:
    return {
        "enrollment": enrollment.pk,
        "student": enrollment.student_id,
        "course_offering": getattr(enrollment, "offering_id", None),
        "class_section": getattr(enrollment, "section_id", None),
        "begin_date": enrollment.begin_date,
    }


@transaction.atomic
def restore(*, enrollment: Enrollment) -> None:
    """Bring a deleted enrolment back and tell others of it; raises ``Conflict`` as ``BaseModel.restore`` does."""
    enrollment.restore()
    tell_of_restored_enrollments([enrollment])


@transaction.atomic
def withdraw(*, enrollment: AnyEnrollment, on_date: datetime.date) -> AnyEnrollment:
    """End an enrolment on ``on_date``, the student's last day in the class, and return it as stored.

    Raises ``AlreadyWithdrawn``, and ``WithdrawnBeforeBeginning`` for a day before the first one.
    """
    model = type(enrollment)
    locked: AnyEnrollment = model._default_manager.select_for_update().get(pk=enrollment.pk)
    if not locked.is_enrolled:
        raise AlreadyWithdrawn
    if locked.begin_date is not None and on_date < locked.begin_date:
        raise WithdrawnBeforeBeginning
    locked.status = EnrollmentStatus.WITHDRAWN
    locked.end_date = on_date
    locked.save()
    emit(EnrollmentWithdrawn(enrollment=locked.pk, student=locked.student_id, on_date=on_date))
    return locked
