"""The resources of the library."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from platform_core.access import FieldAccess, Granted, Policy, Where, actor
from platform_core.errors import Conflict
from platform_core.resource import ModelSerializer, Resource, operation
from tests.core.resource.testapp.models import Book, Branch, Member, Sample, Shelf, Visit

SLUG = "resource_testapp"


def exchanged(model: str) -> dict[str, str]:
    """Return the permissions to take the list as a file, and to write a file to it."""
    return {verb: f"{SLUG}.{verb}_{model}" for verb in ("export", "import")}


STANDARD = ("id", "created_at", "updated_at", "version")


class BranchSerializer(ModelSerializer):
    class Meta:
        model = Branch
        fields = (*STANDARD, "name")


class BranchResource(Resource):
    """Branches of the library."""

    model = Branch
    serializer_class = BranchSerializer
    policy = Policy.standard("resource_testapp.branch")
    ordering = "name"


class ShelfSerializer(ModelSerializer):
    class Meta:
        model = Shelf
        fields = (*STANDARD, "name", "branch")


class ShelfResource(Resource):
    """Shelves of a branch."""

    model = Shelf
    serializer_class = ShelfSerializer
    policy = Policy.standard("resource_testapp.shelf", **exchanged("shelf"))
    ordering = "name"


class BookSerializer(ModelSerializer):
    class Meta:
        model = Book
        fields = (
            *STANDARD,
            "title",
            "subtitle",
            "shelf",
            "sequel_to",
            "isbn",
            "pages",
            "price",
            "published_on",
            "grade",
            "is_lent",
        )
        read_only_fields = ("is_lent",)


class LoanSerializer(serializers.Serializer[Any]):
    """What lending needs."""

    reader = serializers.CharField(max_length=20)


class BookResource(Resource):
    """Books on shelves."""

    model = Book
    serializer_class = BookSerializer
    policy = Policy.standard(
        "resource_testapp.book",
        **exchanged("book"),
        lend="resource_testapp.change_book",
        take_back="resource_testapp.change_book",
        steal="resource_testapp.change_book",
        reserve="resource_testapp.change_book",
    )
    ordering = "title"
    ordering_fields = ("title", "pages", "created_at", "price", "grade", "published_on")
    filterset_fields = {
        "grade": ["exact", "in"],
        "pages": ["exact", "gte", "lte"],
        "published_on": ["exact", "gte", "isnull"],
        "is_lent": ["exact"],
        "subtitle": ["exact", "icontains"],
        "shelf": ["exact", "in"],
        "shelf__name": ["exact"],
    }
    search_fields = ("title", "subtitle")
    import_keys = ("isbn",)

    @operation(verb="lend", when=Book.is_in, reason="It is lent.", serializer_class=LoanSerializer)
    def lend(self, book: Book, data: dict[str, Any]) -> None:
        """Lend the book."""
        book.is_lent = True
        book.subtitle = data["reader"]
        book.save()

    @operation(verb="take_back")
    def take_back(self, book: Book, data: dict[str, Any]) -> dict[str, Any]:
        """Take the book back."""
        book.is_lent = False
        book.save()
        return {"taken_back": book.pk}

    @operation(verb="steal")
    def steal(self, book: Book, data: dict[str, Any]) -> None:
        """Change the book, then refuse."""
        book.title = "stolen"
        book.save()
        raise Conflict("Nobody steals.", code="no_theft", pointer="/title")

    @operation(verb="reserve", flag="resource_testapp.reserve")
    def reserve(self, book: Book, data: dict[str, Any]) -> None:
        """Do nothing yet."""


class MemberSerializer(ModelSerializer):
    class Meta:
        model = Member
        fields = (
            *STANDARD,
            *("branch", "name", "birth_date", "card", "fees"),
            *("note", "favourite", "keeper", "sponsor"),
        )


def _granted(verb: str, field: str) -> Granted:
    return Granted(f"{SLUG}.{verb}_{field}")


class MemberResource(Resource):
    """Members, some fields of whom are for some people or in some rows only."""

    model = Member
    serializer_class = MemberSerializer
    policy = Policy.standard(
        "resource_testapp.member", greet="resource_testapp.view_member", **exchanged("member")
    )
    ordering = "name"
    ordering_fields = ("name", "birth_date", "note", "fees")
    filterset_fields = {
        "birth_date": ["exact", "gte", "isnull"],
        "card": ["exact", "in"],
        "fees": ["gte"],
        "note": ["icontains"],
        "favourite": ["exact", "isnull"],
        "favourite__title": ["exact"],
        "sponsor__birth_date": ["exact"],
        "sponsor__note": ["icontains"],
    }
    search_fields = ("name", "card", "note")
    field_rules = {
        "birth_date": FieldAccess(
            view=_granted("view", "birth_date"), change=_granted("change", "birth_date")
        ),
        "card": FieldAccess(view=_granted("view", "card"), change=_granted("change", "card")),
        "favourite": FieldAccess(view=_granted("view", "favourite")),
        "fees": FieldAccess(change=_granted("change", "fees")),
        "note": FieldAccess(
            view=Where("keeper", actor) | _granted("view", "note"),
            change=Where("keeper", actor) | _granted("change", "note"),
        ),
    }

    @operation(verb="greet")
    def greet(self, member: Member, data: dict[str, Any]) -> None:
        """Change nothing."""


class SlowMemberSerializer(MemberSerializer):
    """The same, but for a method that REST framework calls per row."""

    def to_representation(self, instance: Any) -> Any:
        return super().to_representation(instance)


class SlowMemberResource(MemberResource):
    """Members, read by the serializer."""

    name = "slow-members"
    serializer_class = SlowMemberSerializer


class VisitSerializer(ModelSerializer):
    class Meta:
        model = Visit
        fields = (*STANDARD, "member", "day")


class VisitResource(Resource):
    """Visits of members."""

    model = Visit
    serializer_class = VisitSerializer
    policy = Policy.standard("resource_testapp.visit")
    ordering = "day"
    filterset_fields = {
        "member": ["exact"],
        "member__name": ["exact"],
        "member__birth_date": ["exact", "gte", "isnull"],
        "member__note": ["icontains"],
        "member__favourite": ["exact"],
        "member__favourite__title": ["exact"],
    }


class SampleSerializer(ModelSerializer):
    class Meta:
        model = Sample
        fields = (
            *STANDARD,
            *("text", "slug", "email", "url", "number", "big", "ratio", "price", "yes", "day"),
            *("moment", "time", "span", "address", "key", "data", "grade", "branch"),
        )


class SampleResource(Resource):
    """Samples, read without instances."""

    model = Sample
    serializer_class = SampleSerializer
    policy = Policy.standard("resource_testapp.sample", **exchanged("sample"))
    ordering = "created_at"


class SlowSampleSerializer(SampleSerializer):
    """The same, but for a method that REST framework calls per row."""

    def to_representation(self, instance: Any) -> Any:
        return super().to_representation(instance)


class SlowSampleResource(SampleResource):
    """Samples, read by the serializer."""

    name = "slow-samples"
    serializer_class = SlowSampleSerializer


class FlaggedResource(BranchResource):
    """Branches behind a feature flag."""

    name = "flagged-branches"
    flag = "resource_testapp.flagged"


class BrokenResource(BranchResource):
    """A resource whose reads fail."""

    name = "broken-branches"
    actions = ("list",)

    def visible(self) -> Any:
        raise RuntimeError("a secret detail")


RESOURCES = (
    BranchResource,
    ShelfResource,
    BookResource,
    MemberResource,
    SlowMemberResource,
    VisitResource,
    SampleResource,
    SlowSampleResource,
    FlaggedResource,
    BrokenResource,
)
