"""Enrolments of students and assignments of teachers, as they are served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from platform_core.access import Policy
from platform_core.resource import ModelSerializer, Resource, operation
from platform_education import services
from platform_education.models import (
    CourseEnrollment,
    Enrollment,
    HomeroomAssignment,
    SectionEnrollment,
    TeachingAssignment,
)
from platform_education.resources.fields import DAYS, MOMENTS, SOURCED, STAMPS, exchanged
from platform_education.rules import (
    CLASS_SECTIONS_FLAG,
    WITHDRAW_COURSE_ENROLLMENT,
    WITHDRAW_SECTION_ENROLLMENT,
)

_DATES = {
    "sourced_id": SOURCED,
    "begin_date": DAYS,
    "end_date": DAYS,
    "updated_at": MOMENTS,
}


class WithdrawalSerializer(serializers.Serializer[Any]):
    """The input of a withdrawal."""

    on_date = serializers.DateField(help_text=_("The student's last day in the class."))


class WithdrawableResource(Resource):
    """What both kinds of enrolment can do: be told of, and end before their time."""

    def create_object(self, serializer: ModelSerializer) -> Enrollment:
        """Create the enrolment and tell others of it."""
        created: Enrollment = super().create_object(serializer)
        services.tell_of_enrollments([created])
        return created

    def restore_object(self, obj: Enrollment) -> None:
        """Bring the enrolment back and tell others of it."""
        services.restore(enrollment=obj)

    @operation(
        verb="withdraw",
        when=lambda enrollment: enrollment.is_enrolled,
        reason=_("This enrolment was withdrawn before; enrol the student anew."),
        serializer_class=WithdrawalSerializer,
        background=True,
    )
    def withdraw(self, enrollment: Enrollment, data: Mapping[str, Any]) -> None:
        """Withdraw the student from the class."""
        services.withdraw(enrollment=enrollment, on_date=data["on_date"])


class CourseEnrollmentSerializer(ModelSerializer):
    """A student's place in a course offering."""

    class Meta:
        model = CourseEnrollment
        fields = (
            "id",
            "sourced_id",
            "student",
            "offering",
            "begin_date",
            "end_date",
            "status",
            *STAMPS,
        )
        read_only_fields = ("id", "status", *STAMPS)


class CourseEnrollmentResource(WithdrawableResource):
    """Students in course offerings."""

    model = CourseEnrollment
    serializer_class = CourseEnrollmentSerializer
    policy = Policy.standard(
        "education.courseenrollment",
        withdraw=WITHDRAW_COURSE_ENROLLMENT,
        **exchanged("courseenrollment"),
    )
    name = "course-enrollments"
    filterset_fields = {
        **_DATES,
        "student": ("exact", "in"),
        "offering": ("exact", "in"),
        "offering__school": ("exact",),
        "status": ("exact",),
    }
    import_keys = ("sourced_id",)
    ordering = "id"


class SectionEnrollmentSerializer(ModelSerializer):
    """A student's place in a homeroom."""

    class Meta:
        model = SectionEnrollment
        fields = (
            "id",
            "sourced_id",
            "student",
            "section",
            "begin_date",
            "end_date",
            "status",
            *STAMPS,
        )
        read_only_fields = ("id", "status", *STAMPS)


class SectionEnrollmentResource(WithdrawableResource):
    """Students in homerooms."""

    model = SectionEnrollment
    serializer_class = SectionEnrollmentSerializer
    policy = Policy.standard(
        "education.sectionenrollment",
        withdraw=WITHDRAW_SECTION_ENROLLMENT,
        **exchanged("sectionenrollment"),
    )
    name = "section-enrollments"
    flag = CLASS_SECTIONS_FLAG
    filterset_fields = {
        **_DATES,
        "student": ("exact", "in"),
        "section": ("exact", "in"),
        "section__school": ("exact",),
        "status": ("exact",),
    }
    import_keys = ("sourced_id",)
    ordering = "id"


class TeachingAssignmentSerializer(ModelSerializer):
    """A teacher's part in a course offering."""

    class Meta:
        model = TeachingAssignment
        fields = (
            "id",
            "sourced_id",
            "teacher",
            "offering",
            "is_primary",
            "begin_date",
            "end_date",
            *STAMPS,
        )
        read_only_fields = ("id", *STAMPS)


class TeachingAssignmentResource(Resource):
    """Teachers of course offerings."""

    model = TeachingAssignment
    serializer_class = TeachingAssignmentSerializer
    policy = Policy.standard("education.teachingassignment")
    name = "teaching-assignments"
    filterset_fields = {
        **_DATES,
        "teacher": ("exact", "in"),
        "offering": ("exact", "in"),
        "offering__school": ("exact",),
        "is_primary": ("exact",),
    }
    ordering = "id"


class HomeroomAssignmentSerializer(ModelSerializer):
    """A teacher's charge of a homeroom."""

    class Meta:
        model = HomeroomAssignment
        fields = (
            "id",
            "sourced_id",
            "teacher",
            "section",
            "is_primary",
            "begin_date",
            "end_date",
            *STAMPS,
        )
        read_only_fields = ("id", *STAMPS)


class HomeroomAssignmentResource(Resource):
    """Teachers of homerooms."""

    model = HomeroomAssignment
    serializer_class = HomeroomAssignmentSerializer
    policy = Policy.standard("education.homeroomassignment")
    name = "homeroom-assignments"
    flag = CLASS_SECTIONS_FLAG
    filterset_fields = {
        **_DATES,
        "teacher": ("exact", "in"),
        "section": ("exact", "in"),
        "section__school": ("exact",),
        "is_primary": ("exact",),
    }
    ordering = "id"
