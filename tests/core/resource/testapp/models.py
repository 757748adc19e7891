"""Branches own shelves, shelves hold books, books are lent; ``Sample`` has a column of every kind."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from platform_core.models import BaseModel, UniqueAmongLive


class Branch(BaseModel):
    """The organisational unit that grants are scoped by."""

    unit_path = "self"

    name = models.CharField(max_length=100)

    class Meta(BaseModel.Meta):
        verbose_name_plural = "branches"


class Shelf(BaseModel):
    """A shelf of one branch."""

    unit_path = "branch"

    branch = models.ForeignKey(Branch, on_delete=models.PROTECT)
    name = models.CharField(max_length=100)

    class Meta(BaseModel.Meta):
        verbose_name_plural = "shelves"


class Book(BaseModel):
    """A book on a shelf."""

    unit_path = "shelf__branch"

    shelf = models.ForeignKey(Shelf, on_delete=models.PROTECT)
    sequel_to = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT)
    title = models.CharField(max_length=100)
    subtitle = models.CharField(max_length=100, blank=True)
    isbn = models.CharField(max_length=20)
    pages = models.IntegerField(default=1)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=Decimal(0))
    published_on = models.DateField(null=True, blank=True)
    grade = models.CharField(
        max_length=1, choices=[("a", "A"), ("b", "B"), ("c", "C")], default="a"
    )
    is_lent = models.BooleanField(default=False)
    secret = models.CharField(max_length=20, blank=True, default="hidden")

    class Meta(BaseModel.Meta):
        constraints = [
            UniqueAmongLive("isbn", name="resource_book_isbn"),
            models.CheckConstraint(condition=models.Q(pages__gt=0), name="resource_book_pages"),
        ]

    def is_in(self) -> bool:
        """Tell whether the book is not lent."""
        return not self.is_lent


class Member(BaseModel):
    """A reader of one branch, about whom not everybody may know everything."""

    unit_path = "branch"

    branch = models.ForeignKey(Branch, on_delete=models.PROTECT)
    name = models.CharField(max_length=100)
    birth_date = models.DateField(null=True, blank=True)
    card = models.CharField(max_length=20)
    fees = models.IntegerField(default=0)
    note = models.TextField(blank=True)
    favourite = models.ForeignKey(Book, null=True, blank=True, on_delete=models.PROTECT)
    keeper = models.UUIDField(null=True, blank=True)
    sponsor = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT)

    class Meta(BaseModel.Meta):
        constraints = [
            UniqueAmongLive("card", name="resource_member_card"),
            UniqueAmongLive("keeper", "favourite", name="resource_member_favourite"),
        ]


class Visit(BaseModel):
    """A visit of a member, which leads to what is known about them."""

    unit_path = "member__branch"

    member = models.ForeignKey(Member, on_delete=models.PROTECT)
    day = models.DateField()


class Sample(BaseModel):
    """A row with a column of every kind that the fast road reads."""

    text = models.TextField(blank=True)
    slug = models.SlugField(blank=True)
    email = models.EmailField(blank=True)
    url = models.URLField(blank=True)
    number = models.IntegerField(null=True)
    big = models.BigIntegerField(null=True)
    ratio = models.FloatField(null=True)
    price = models.DecimalField(max_digits=12, decimal_places=4, null=True)
    yes = models.BooleanField(null=True)
    day = models.DateField(null=True)
    moment = models.DateTimeField(null=True)
    time = models.TimeField(null=True)
    span = models.DurationField(null=True)
    address = models.GenericIPAddressField(null=True)
    key = models.UUIDField(null=True)
    data = models.JSONField(null=True)
    grade = models.IntegerField(choices=[(1, "One"), (2, "Two")], null=True)
    branch = models.ForeignKey(Branch, null=True, on_delete=models.PROTECT)
