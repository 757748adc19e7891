"""Models with ownerless rows, nullable steps, to-many steps, hidden rows and a tree of units."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models


class Keyed(models.Model):
    """A row with a UUID key."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)

    class Meta:
        abstract = True


class Unit(Keyed):
    """A node of the tree that grants are scoped by."""

    name = models.CharField(max_length=20)
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="below")

    unit_path: ClassVar[str] = "self"

    class Meta:
        app_label = "access_testapp"


class School(Keyed):
    """One-to-one with a unit, or without one."""

    name = models.CharField(max_length=20)
    unit = models.OneToOneField(Unit, models.CASCADE, null=True)

    unit_path: ClassVar[str] = "unit"

    class Meta:
        app_label = "access_testapp"


class Person(Keyed):
    """An owner of documents."""

    name = models.CharField(max_length=20)

    class Meta:
        app_label = "access_testapp"


class Badge(Keyed):
    """One-to-one with a person, reached from its other end."""

    person = models.OneToOneField(Person, models.CASCADE)
    level = models.IntegerField(null=True)

    class Meta:
        app_label = "access_testapp"


class Tag(Keyed):
    """Many-to-many with documents."""

    word = models.CharField(max_length=20, null=True)

    class Meta:
        app_label = "access_testapp"


class Document(Keyed):
    """A row that may lack owner, school, tags and level."""

    title = models.CharField(max_length=20)
    status = models.CharField(max_length=20, default="draft")
    level = models.IntegerField(null=True)
    owner = models.ForeignKey(Person, models.SET_NULL, null=True, related_name="documents")
    created_by = models.UUIDField(null=True)
    school = models.ForeignKey(School, models.SET_NULL, null=True)
    tags = models.ManyToManyField(Tag, related_name="documents")
    readers = models.ManyToManyField(Person, related_name="readable")
    # No constraint: this app has no migrations, so its tables come before those of contenttypes.
    content_type = models.ForeignKey(
        ContentType, models.SET_NULL, null=True, db_constraint=False, related_name="+"
    )
    subject_id = models.UUIDField(null=True)
    subject = GenericForeignKey("content_type", "subject_id")

    unit_path: ClassVar[str] = "school__unit"

    class Meta:
        app_label = "access_testapp"


class VisibleComments(models.Manager["Comment"]):
    """Hides comments, as soft deletion does."""

    def get_queryset(self) -> models.QuerySet[Comment]:
        """Return the comments that are not hidden."""
        return super().get_queryset().filter(hidden=False)


class Comment(Keyed):
    """A child row whose default manager hides some; the base manager does not."""

    document = models.ForeignKey(Document, models.CASCADE, related_name="comments")
    author = models.ForeignKey(Person, models.SET_NULL, null=True)
    hidden = models.BooleanField(default=False)
    likers = models.ManyToManyField(Person, related_name="likes")

    objects = VisibleComments()
    all_objects = models.Manager["Comment"]()

    class Meta:
        app_label = "access_testapp"
        base_manager_name = "all_objects"


class Event(Keyed):
    """Belongs to several units at once."""

    title = models.CharField(max_length=20)
    units = models.ManyToManyField(Unit)

    unit_path: ClassVar[str] = "units"

    class Meta:
        app_label = "access_testapp"


class Counter(models.Model):
    """A row with an integer key and no way to a unit."""

    total = models.IntegerField(default=0)

    class Meta:
        app_label = "access_testapp"


class Lost(Keyed):
    """Its unit_path leads to text."""

    name = models.CharField(max_length=20)

    unit_path: ClassVar[str] = "name"

    class Meta:
        app_label = "access_testapp"


class Astray(Keyed):
    """Its unit_path leads to a model that is no unit."""

    person = models.ForeignKey(Person, models.CASCADE)

    unit_path: ClassVar[str] = "person"

    class Meta:
        app_label = "access_testapp"


class Nowhere(Keyed):
    """Its unit_path does not exist."""

    unit_path: ClassVar[str] = "nothing__here"

    class Meta:
        app_label = "access_testapp"
