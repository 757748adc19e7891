"""What education refuses, and why."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from platform_core.errors import Conflict, Invalid


class AlreadyWithdrawn(Conflict):
    """The student has been withdrawn from the class before."""

    code = "already_withdrawn"

    def __init__(self) -> None:
        super().__init__(_("This enrolment was withdrawn before; enrol the student anew."))


class WithdrawnBeforeBeginning(Invalid):
    """The day of the withdrawal is before the enrolment begins."""

    code = "withdrawn_before_beginning"

    def __init__(self) -> None:
        super().__init__(
            _(
                "The day is before the enrolment begins; choose a later one, or delete the enrolment."
            ),
            pointer="/on_date",
        )
