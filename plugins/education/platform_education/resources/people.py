"""Students, what is sensitive about them, and teachers, as they are served."""

from __future__ import annotations

from platform_core.access import FieldAccess, Granted, Policy
from platform_core.resource import ModelSerializer, Resource
from platform_education.models import Student, StudentDemographics, Teacher
from platform_education.resources.fields import DAYS, MOMENTS, SOURCED, STAMPS, exchanged
from platform_education.rules import CHANGE_ETHNICITY, VIEW_ETHNICITY

_PERSON = (
    "id",
    "sourced_id",
    "school",
    "given_name",
    "middle_name",
    "family_name",
    "username",
    "identifier",
    "email",
    "phone",
    "is_enabled",
)
_ETHNICITY = (
    "american_indian_or_alaska_native",
    "asian",
    "black_or_african_american",
    "native_hawaiian_or_other_pacific_islander",
    "white",
    "two_or_more_races",
    "hispanic_or_latino_ethnicity",
)
_PERSON_FILTERS = {
    "sourced_id": SOURCED,
    "school": ("exact", "in"),
    "family_name": ("exact", "istartswith"),
    "given_name": ("exact", "istartswith"),
    "identifier": ("exact",),
    "email": ("iexact",),
    "is_enabled": ("exact",),
    "updated_at": MOMENTS,
}
_PERSON_SEARCH = ("given_name", "middle_name", "family_name", "identifier", "email")
_PERSON_ORDERINGS = ("family_name", "given_name", "created_at")


class StudentSerializer(ModelSerializer):
    """A student."""

    class Meta:
        model = Student
        fields = (*_PERSON, "grades", *STAMPS)
        read_only_fields = ("id", *STAMPS)


class StudentResource(Resource):
    """Students."""

    model = Student
    serializer_class = StudentSerializer
    policy = Policy.standard("education.student", **exchanged("student"))
    name = "students"
    filterset_fields = _PERSON_FILTERS
    search_fields = _PERSON_SEARCH
    import_keys = ("sourced_id",)
    ordering = "family_name"
    ordering_fields = _PERSON_ORDERINGS


class TeacherSerializer(ModelSerializer):
    """A teacher."""

    class Meta:
        model = Teacher
        fields = (*_PERSON, *STAMPS)
        read_only_fields = ("id", *STAMPS)


class TeacherResource(Resource):
    """Teachers."""

    model = Teacher
    serializer_class = TeacherSerializer
    policy = Policy.standard("education.teacher")
    name = "teachers"
    filterset_fields = _PERSON_FILTERS
    search_fields = _PERSON_SEARCH
    ordering = "family_name"
    ordering_fields = _PERSON_ORDERINGS


class StudentDemographicsSerializer(ModelSerializer):
    """Personal data about one student."""

    class Meta:
        model = StudentDemographics
        fields = (
            "id",
            "sourced_id",
            "student",
            "birth_date",
            "sex",
            *_ETHNICITY,
            "country_of_birth_code",
            "state_of_birth_abbreviation",
            "city_of_birth",
            "public_school_residence_status",
            *STAMPS,
        )
        read_only_fields = ("id", *STAMPS)


class StudentDemographicsResource(Resource):
    """Personal data about students, with permissions of its own; ethnicity has others yet."""

    model = StudentDemographics
    serializer_class = StudentDemographicsSerializer
    policy = Policy.standard("education.studentdemographics")
    name = "student-demographics"
    filterset_fields = {
        "sourced_id": SOURCED,
        "student": ("exact", "in"),
        "birth_date": DAYS,
        "updated_at": MOMENTS,
    }
    ordering = "id"
    field_rules = dict.fromkeys(
        _ETHNICITY,
        FieldAccess(view=Granted(VIEW_ETHNICITY), change=Granted(CHANGE_ETHNICITY)),
    )
