"""A publisher, its books, their chapters and what refers to them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Lower

from platform_core.models import BaseModel, EncryptedTextField, UniqueAmongLive


class Publisher(BaseModel):
    """Referred to by books (optional) and contracts (required); a plain label may follow it too."""

    name = models.CharField(max_length=50)

    class Meta(BaseModel.Meta):
        app_label = "models_testapp"
        constraints = (UniqueAmongLive(Lower("name"), name="models_testapp_publisher_live"),)


class Imprint(Publisher):
    """A proxy, under whose own name Django sends signals."""

    class Meta(BaseModel.Meta):
        app_label = "models_testapp"
        proxy = True


class Tag(BaseModel):
    """Many-to-many with books, declared by the book."""

    word = models.CharField(max_length=20)

    class Meta(BaseModel.Meta):
        app_label = "models_testapp"


class Book(BaseModel):
    """Has secrets, a generated column, an optional reference and its own tags."""

    title = models.CharField(max_length=50)
    slug = models.CharField(max_length=50, blank=True)
    stock = models.IntegerField(default=0)
    publisher = models.ForeignKey(Publisher, models.SET_NULL, null=True, related_name="books")
    tags = models.ManyToManyField(Tag, related_name="books")
    password = models.CharField(max_length=20, blank=True)
    last_login = models.DateTimeField(null=True)
    sealed = EncryptedTextField(null=True)
    draft = models.TextField(blank=True)
    doubled = models.GeneratedField(
        expression=models.F("stock") * 2, output_field=models.IntegerField(), db_persist=True
    )

    history_excluded = ("draft",)

    class Meta(BaseModel.Meta):
        app_label = "models_testapp"
        constraints = (
            UniqueAmongLive("slug", name="models_testapp_book_live", condition=~models.Q(slug="")),
        )


class Chapter(BaseModel):
    """A part of the aggregate that a book is."""

    book = models.ForeignKey(Book, models.CASCADE, related_name="chapters")
    number = models.IntegerField(default=1)

    aggregate: ClassVar[str] = "book"

    class Meta(BaseModel.Meta):
        app_label = "models_testapp"


class Note(BaseModel):
    """Two steps away from the root of its aggregate: a note bumps the book of its chapter."""

    chapter = models.ForeignKey(Chapter, models.CASCADE)

    aggregate: ClassVar[str] = "chapter__book"

    class Meta(BaseModel.Meta):
        app_label = "models_testapp"


class Contract(BaseModel):
    """Refers to a publisher and must."""

    publisher = models.ForeignKey(Publisher, models.CASCADE)

    class Meta(BaseModel.Meta):
        app_label = "models_testapp"
        verbose_name_plural = "contracts"


class Seat(models.Model):
    """A plain row, without history, that follows a publisher one to one."""

    publisher = models.OneToOneField(Publisher, models.PROTECT)

    class Meta:
        app_label = "models_testapp"


class Category(BaseModel):
    """A tree."""

    parent = models.ForeignKey("self", models.CASCADE, null=True)

    class Meta(BaseModel.Meta):
        app_label = "models_testapp"


class Vault(BaseModel):
    """Keeps a text that only its own row opens."""

    title = models.CharField(max_length=50, default="")
    code = EncryptedTextField(null=True)

    class Meta(BaseModel.Meta):
        app_label = "models_testapp"
