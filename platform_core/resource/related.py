"""Related rows as an actor may know them: never more than the related model's own view scope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_core.access import scope

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet

    from platform_core.access import Actor


def view_permission(model: type[Model]) -> str:
    """Return the name of the permission to see rows of ``model``: ``<app_label>.view_<modelname>``."""
    return f"{model._meta.app_label}.view_{model._meta.model_name}"


def visible(actor: Actor, model: type[Model]) -> QuerySet[Any]:
    """Return the rows of ``model`` that ``actor`` may see; none when nobody registered the permission."""
    return scope(actor, view_permission(model), model._default_manager.all())
