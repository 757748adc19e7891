"""The two fields that ``save()`` cannot set: the number of writes, and the time of deletion."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import F

FIRST_VERSION = 1

if TYPE_CHECKING:
    _Number = models.PositiveBigIntegerField[int, int]
    _OptionalTime = models.DateTimeField[datetime | None, datetime | None]
else:
    _Number = models.PositiveBigIntegerField
    _OptionalTime = models.DateTimeField


class VersionField(_Number):
    """Counts the writes of a row from 1; what the instance holds is never written.

    The database adds one to what it has, so that two writers of the same stale copy get two different
    numbers. ``BaseModel`` reads the result back with the history row that each write makes.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("default", FIRST_VERSION)
        kwargs.setdefault("editable", False)
        super().__init__(*args, **kwargs)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Return 1 for a new row, otherwise the database's own value plus one."""
        if add:
            setattr(model_instance, self.attname, FIRST_VERSION)
            return FIRST_VERSION
        return F(self.attname) + 1

    def deconstruct(self) -> Any:
        """Stand in migrations as the plain column that it is."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.PositiveBigIntegerField", args, kwargs


class DeletedAtField(_OptionalTime):
    """When the row was deleted; ``delete()`` and ``restore()`` alone change it.

    Saving a copy that was read before the deletion keeps the row deleted.
    """

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Return the given time for a new row, otherwise what the database has."""
        if add:
            return super().pre_save(model_instance, add)
        return F(self.attname)

    def deconstruct(self) -> Any:
        """Stand in migrations as the plain column that it is."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.DateTimeField", args, kwargs
