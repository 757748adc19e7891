"""What education tells others: that students leave classes."""

from __future__ import annotations

import datetime
from typing import ClassVar
from uuid import UUID

from platform_core.events import Event


class EnrollmentWithdrawn(Event):
    """A student was withdrawn from a course offering or a class section; the day is their last one there."""

    name: ClassVar[str] = "education.enrollment.withdrawn"
    aggregate: ClassVar[str] = "enrollment"

    enrollment: UUID
    student: UUID
    on_date: datetime.date


EVENTS = (EnrollmentWithdrawn,)
