"""Many-to-many links are part of the row that declares them: changing them is a write of that row."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import models
from django.db.models.signals import m2m_changed

from platform_core.models.base import BaseModel
from platform_core.models.querysets import rows_of


def bump_the_owner_of_links(
    sender: type[models.Model],
    instance: models.Model,
    action: str,
    reverse: bool,
    pk_set: Collection[Any] | None,
    using: str,
    **kwargs: object,
) -> None:
    """Bump and record the rows whose links change; ``instance`` learns its version if it is one.

    Only for link tables that Django makes. A model named by ``through`` says itself what its writes bump.
    """
    owner: Any = sender._meta.auto_created
    if not owner or not issubclass(owner, BaseModel):
        return
    field = next(
        many for many in owner._meta.local_many_to_many if many.remote_field.through is sender
    )
    if action == "pre_clear":
        here, owning = field.m2m_field_name(), field.m2m_field_name()
        if reverse:
            here = field.m2m_reverse_field_name()
        links = sender._base_manager.using(using).filter(**{here: instance})
        owners = set(links.values_list(owning, flat=True))
    elif action in {"post_add", "post_remove"} and pk_set:
        owners = set(pk_set) if reverse else {instance.pk}
    else:
        return
    versions = rows_of(owner, using).filter(pk__in=owners).write({})
    if isinstance(instance, owner) and instance.pk in versions:
        instance.version = versions[instance.pk]


m2m_changed.connect(bump_the_owner_of_links, dispatch_uid="platform_core.models.links")
