"""Courses, their offerings and homeroom sections, as they are served."""

from __future__ import annotations

from platform_core.access import Policy
from platform_core.resource import ModelSerializer, Resource
from platform_education.models import ClassSection, Course, CourseOffering, CourseOfferingTerm
from platform_education.resources.fields import MOMENTS, SOURCED, STAMPS, exchanged
from platform_education.rules import CLASS_SECTIONS_FLAG


class CourseSerializer(ModelSerializer):
    """An entry of the course catalogue."""

    class Meta:
        model = Course
        fields = (
            "id",
            "sourced_id",
            "unit",
            "academic_year",
            "title",
            "course_code",
            "grades",
            "subjects",
            "subject_codes",
            *STAMPS,
        )
        read_only_fields = ("id", *STAMPS)
        extra_kwargs = {"unit": {"required": True, "allow_null": False}}


class CourseResource(Resource):
    """The course catalogue."""

    model = Course
    serializer_class = CourseSerializer
    policy = Policy.standard("education.course", **exchanged("course"))
    name = "courses"
    filterset_fields = {
        "sourced_id": SOURCED,
        "unit": ("exact",),
        "academic_year": ("exact", "isnull"),
        "course_code": ("exact",),
        "updated_at": MOMENTS,
    }
    search_fields = ("title", "course_code")
    import_keys = ("sourced_id",)
    ordering = "title"
    ordering_fields = ("title", "course_code")


class CourseOfferingSerializer(ModelSerializer):
    """A course as a school gives it in a year."""

    class Meta:
        model = CourseOffering
        fields = (
            "id",
            "sourced_id",
            "school",
            "course",
            "academic_year",
            "title",
            "class_code",
            "location",
            "grades",
            "subjects",
            "subject_codes",
            "periods",
            *STAMPS,
        )
        read_only_fields = ("id", *STAMPS)


class CourseOfferingResource(Resource):
    """Courses as schools give them."""

    model = CourseOffering
    serializer_class = CourseOfferingSerializer
    policy = Policy.standard("education.courseoffering")
    name = "course-offerings"
    parents = {"schools": "school"}
    filterset_fields = {
        "sourced_id": SOURCED,
        "school": ("exact", "in"),
        "course": ("exact", "in"),
        "academic_year": ("exact",),
        "class_code": ("exact",),
        "updated_at": MOMENTS,
    }
    search_fields = ("title", "class_code", "location")
    ordering = "title"
    ordering_fields = ("title", "class_code")


class CourseOfferingTermSerializer(ModelSerializer):
    """A term in which an offering runs."""

    class Meta:
        model = CourseOfferingTerm
        fields = ("id", "offering", "term", *STAMPS)
        read_only_fields = ("id", *STAMPS)


class CourseOfferingTermResource(Resource):
    """The terms in which offerings run."""

    model = CourseOfferingTerm
    serializer_class = CourseOfferingTermSerializer
    policy = Policy.standard("education.courseofferingterm")
    name = "course-offering-terms"
    filterset_fields = {"offering": ("exact", "in"), "term": ("exact", "in")}
    ordering = "id"


class ClassSectionSerializer(ModelSerializer):
    """A homeroom."""

    class Meta:
        model = ClassSection
        fields = (
            "id",
            "sourced_id",
            "school",
            "academic_year",
            "title",
            "class_code",
            "location",
            "grades",
            *STAMPS,
        )
        read_only_fields = ("id", *STAMPS)


class ClassSectionResource(Resource):
    """Homerooms."""

    model = ClassSection
    serializer_class = ClassSectionSerializer
    policy = Policy.standard("education.classsection")
    name = "class-sections"
    flag = CLASS_SECTIONS_FLAG
    filterset_fields = {
        "sourced_id": SOURCED,
        "school": ("exact", "in"),
        "academic_year": ("exact",),
        "updated_at": MOMENTS,
    }
    search_fields = ("title", "class_code", "location")
    ordering = "title"
    ordering_fields = ("title", "class_code")
