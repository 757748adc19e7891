"""Writes of education with a meaning of their own."""

from __future__ import annotations

import datetime
from typing import TypeVar

from django.db import transaction

from platform_core.events import emit
from platform_education.errors import AlreadyWithdrawn, WithdrawnBeforeBeginning
from platform_education.events import EnrollmentWithdrawn
from platform_education.models import Enrollment, EnrollmentStatus

AnyEnrollment = TypeVar("AnyEnrollment", bound=Enrollment)


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
