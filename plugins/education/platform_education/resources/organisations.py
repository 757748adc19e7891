"""Organisations, schools, academic years and terms, as they are served."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from platform_core.access import Policy
from platform_core.resource import ModelSerializer, Resource
from platform_education.models import AcademicYear, Organisation, School, Term
from platform_education.resources.fields import DAYS, MOMENTS, SOURCED, STAMPS, exchanged

_UNIT_REQUIRED = {"unit": {"required": True, "allow_null": False}}


class _OfUnitSerializer(ModelSerializer):
    """What stands for a unit, which is chosen once.

    Another unit would bring everything that belongs to it within the reach of other roles. Moving the unit does that
    too, and asks whether the mover holds what those roles give.
    """

    def validate_unit(self, unit: Any) -> Any:
        """Refuse another unit than the one it stands for."""
        if self.instance is not None and unit != self.instance.unit:
            raise serializers.ValidationError(
                _("The unit cannot be exchanged; move the unit itself below another one instead.")
            )
        return unit


class OrganisationSerializer(_OfUnitSerializer):
    """A district or another organisation above schools."""

    class Meta:
        model = Organisation
        fields = ("id", "sourced_id", "name", "kind", "identifier", "unit", *STAMPS)
        read_only_fields = ("id", *STAMPS)
        extra_kwargs = _UNIT_REQUIRED


class OrganisationResource(Resource):
    """Districts and other organisations above schools."""

    model = Organisation
    serializer_class = OrganisationSerializer
    policy = Policy.standard("education.organisation")
    name = "organisations"
    filterset_fields = {
        "sourced_id": SOURCED,
        "kind": ("exact",),
        "unit": ("exact",),
        "updated_at": MOMENTS,
    }
    search_fields = ("name", "identifier")
    ordering = "name"
    ordering_fields = ("name", "created_at")


class SchoolSerializer(_OfUnitSerializer):
    """A school; its unit has to be one that no other school stands for."""

    class Meta:
        model = School
        fields = ("id", "sourced_id", "name", "identifier", "unit", *STAMPS)
        read_only_fields = ("id", *STAMPS)
        extra_kwargs = _UNIT_REQUIRED


class SchoolResource(Resource):
    """Schools, one to one with organisational units."""

    model = School
    serializer_class = SchoolSerializer
    policy = Policy.standard("education.school", **exchanged("school"))
    name = "schools"
    filterset_fields = {"sourced_id": SOURCED, "unit": ("exact",), "updated_at": MOMENTS}
    search_fields = ("name", "identifier")
    import_keys = ("sourced_id",)
    ordering = "name"
    ordering_fields = ("name", "created_at")


class AcademicYearSerializer(ModelSerializer):
    """A school year."""

    class Meta:
        model = AcademicYear
        fields = ("id", "sourced_id", "title", "school_year", "start_date", "end_date", *STAMPS)
        read_only_fields = ("id", *STAMPS)


class AcademicYearResource(Resource):
    """School years."""

    model = AcademicYear
    serializer_class = AcademicYearSerializer
    policy = Policy.standard("education.academicyear")
    name = "academic-years"
    filterset_fields = {
        "sourced_id": SOURCED,
        "school_year": ("exact", "gte", "lte"),
        "start_date": DAYS[:3],
        "end_date": DAYS[:3],
        "updated_at": MOMENTS,
    }
    search_fields = ("title",)
    ordering = "start_date"
    ordering_fields = ("start_date", "title")


class TermSerializer(ModelSerializer):
    """A part of a school year."""

    class Meta:
        model = Term
        fields = (
            "id",
            "sourced_id",
            "academic_year",
            "parent",
            "title",
            "kind",
            "start_date",
            "end_date",
            *STAMPS,
        )
        read_only_fields = ("id", *STAMPS)


class TermResource(Resource):
    """Semesters, terms and grading periods."""

    model = Term
    serializer_class = TermSerializer
    policy = Policy.standard("education.term")
    name = "terms"
    filterset_fields = {
        "sourced_id": SOURCED,
        "academic_year": ("exact",),
        "parent": ("exact", "isnull"),
        "kind": ("exact",),
        "start_date": DAYS[:3],
        "end_date": DAYS[:3],
        "updated_at": MOMENTS,
    }
    search_fields = ("title",)
    ordering = "start_date"
    ordering_fields = ("start_date", "title")
