"""What education tells others: that students come into classes and leave them."""

from __future__ import annotations

import datetime
from typing import ClassVar
from uuid import UUID

from platform_core.events import Event


class EnrollmentCreated(Event):
    """A student was given a place in a course offering or a class section, by hand or by an import."""

    name: ClassVar[str] = "education.enrollment.created"
    aggregate: ClassVar[str] = "enrollment"

    enrollment: UUID
    student: UUID
    course_offering: UUID | None = None
    class_section: UUID | None = None
    begin_date: datetime.date | None = None


class EnrollmentRestored(Event):
    """A student's enrolment that had been deleted is there again, by hand or by an import, as it is now.

    A deletion corrects what was never meant, and tells nobody; what it took back counts anew from here on.
    """

    name: ClassVar[str] = "education.enrollment.restored"
    aggregate: ClassVar[str] = "enrollment"

    enrollment: UUID
    student: UUID
    is_enrolled: bool
    course_offering: UUID | None = None
    class_section: UUID | None = None
    begin_date: datetime.date | None = None


class EnrollmentWithdrawn(Event):
    """A student was withdrawn from a course offering or a class section; the day is their last one there."""

    name: ClassVar[str] = "education.enrollment.withdrawn"
    aggregate: ClassVar[str] = "enrollment"

    enrollment: UUID
    student: UUID
    on_date: datetime.date


EVENTS = (EnrollmentCreated, EnrollmentRestored, EnrollmentWithdrawn)
