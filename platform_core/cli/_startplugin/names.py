"""The names that a new plugin may use, and why others are refused."""

from __future__ import annotations

import keyword
import re

from django.db.models import Model

from platform_core.registry.discovery import discover
from platform_core.registry.selection import RESERVED_SLUGS, SLUG

MAX_LENGTH = 30
"""In characters; PostgreSQL cuts table names at 63 bytes, and a historical table has both names in its own."""

INSTALLED_LABELS = frozenset(
    [
        "auth",
        "contenttypes",
        "sessions",
        "staticfiles",
        "rest_framework",
        "drf_spectacular",
        "simple_history",
        "waffle",
    ]
)
BASE_FIELDS = frozenset(
    (
        "id",
        "pk",
        "created_at",
        "updated_at",
        "version",
        "deleted_at",
        "history",
        "objects",
        "all_objects",
        "unit_path",
        "aggregate",
        "history_excluded",
        "keeps_history",
        "quiet_fields",
        "restore",
        "hard_delete",
        "meta",
        "models",
    )
)
"""What every model has, or its class body."""
HISTORY_FIELDS = frozenset(
    (
        "history_id",
        "history_date",
        "history_type",
        "history_change_reason",
        "history_object",
        "actor_id",
        "actor_kind",
        "request_id",
        "instance",
        "instance_type",
        "next_record",
        "prev_record",
        "revert_url",
        "tracked_fields",
    )
)
"""What a row of history has beside the copied fields."""
PARAMETERS = frozenset(
    ("limit", "cursor", "search", "ordering", "fields", "expand", "include", "dry_run", "format")
)
"""Query parameters of lists, which filters by field stand beside."""
_FIELD = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*\Z")
_MODEL = re.compile(r"[A-Z][A-Za-z0-9]*\Z")
_TAKEN_MODELS = frozenset({"BaseModel", "Resource", "ModelSerializer", "Policy"})


class NameRefused(ValueError):
    """A name cannot be used; ``code`` is for machines and ``way_out`` tells what to do instead."""

    def __init__(self, code: str, message: str, way_out: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.way_out = way_out


def config_name(slug: str) -> str:
    """Return the name of the configuration class of the plugin ``slug``."""
    return "".join(part.capitalize() for part in slug.split("_")) + "Config"


def check_slug(slug: str) -> None:
    """Raise NameRefused unless ``slug`` can be the slug of a new plugin."""
    if not SLUG.match(slug) or len(slug) > MAX_LENGTH or slug.endswith("_") or "__" in slug:
        near = re.sub(r"[^a-z0-9]+", "_", slug.lower()).strip("_0123456789")[:MAX_LENGTH]
        hint = f' For example "{near}".' if SLUG.match(near) else ""
        raise NameRefused(
            "slug_not_allowed",
            f'"{slug}" cannot be the name of a plugin.',
            f"Take a-z, 0-9 and single _, a letter first, at most {MAX_LENGTH} characters.{hint}",
        )
    if keyword.iskeyword(slug) or slug in RESERVED_SLUGS | INSTALLED_LABELS:
        raise NameRefused(
            "slug_reserved", f'"{slug}" is reserved.', "Choose a name that says what it is about."
        )
    owners = discover().get(slug, ())
    if owners:
        raise NameRefused(
            "slug_taken",
            f'The installed distribution {owners[0].distribution} provides the plugin "{slug}".',
            "Choose another name, or uninstall that distribution first.",
        )


def check_model_name(name: str) -> None:
    """Raise NameRefused unless ``name`` can be the class name of a model."""
    if not _MODEL.match(name) or len(name) > MAX_LENGTH:
        raise NameRefused(
            "resource_name",
            f'"{name}" cannot be the name of a resource.',
            f"Write a singular class name such as Course, at most {MAX_LENGTH} characters.",
        )
    if keyword.iskeyword(name) or name in _TAKEN_MODELS or name.startswith("Historical"):
        raise NameRefused(
            "resource_name", f'"{name}" has a meaning already.', "Choose another name."
        )


def check_field_name(name: str, owner: str) -> None:
    """Raise NameRefused unless ``name`` can be a field of the model ``owner``."""
    place = f'The field "{name}" of {owner}'
    if not _FIELD.match(name) or len(name) > MAX_LENGTH:
        raise NameRefused(
            "field_name",
            f"{place} is not named in snake case.",
            f"Take a-z, 0-9 and single _, at most {MAX_LENGTH} characters, such as starts_on.",
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise NameRefused("field_name", f"{place} is a Python keyword.", "Choose another name.")
    if name in BASE_FIELDS | HISTORY_FIELDS | PARAMETERS or hasattr(Model, name):
        raise NameRefused(
            "field_name",
            f"{place} has a meaning already.",
            "Leave it out or choose another name.",
        )
