"""What models are made of: ``BaseModel`` and its parts; also the core's own tables."""

from platform_core.models import links as _links  # noqa: F401 - it listens from now on
from platform_core.models.base import BaseModel
from platform_core.models.constraints import UniqueAmongLive
from platform_core.models.identifiers import uuid7
from platform_core.models.ledger import PluginContribution, PluginRecord
from platform_core.models.querysets import AllObjects, LiveObjects, PlatformQuerySet
from platform_core.models.referrers import DeletionBlocked, Referrer, keep_for_reference

__all__ = [
    "AllObjects",
    "BaseModel",
    "DeletionBlocked",
    "LiveObjects",
    "PlatformQuerySet",
    "PluginContribution",
    "PluginRecord",
    "Referrer",
    "UniqueAmongLive",
    "keep_for_reference",
    "uuid7",
]
