"""Describe a plugin's typed settings without ever showing a value that a deployment has set."""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from platform_core.conf.runtime import editable_names
from platform_core.conf.settings import PluginSettings

SECRET_WORDS = ("secret", "password", "token", "key", "credential")


def describe_settings(
    cls: type[PluginSettings] | None,
    slug: str,
    section: Mapping[str, Any],
    environ: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Return each setting's name, variable, type, default, whether it is required, and where its value comes from.

    ``slug`` is empty for the core's. The default of a secret is not shown; ``source`` is ``environment``, ``platform.toml``, ``default`` or ``missing``.
    """
    fields = {} if cls is None else cls.model_fields
    return [
        {
            "name": name,
            "variable": (
                variable := (f"PLUGIN_{slug}_{name}" if slug else f"PLATFORM_{name}").upper()
            ),
            "type": _type_name(field.annotation),
            "required": field.is_required(),
            "default": _default(name, field),
            "description": field.description or "",
            "source": _source(name, variable, field, section, environ),
            "editable": cls is not None and name in editable_names(cls),
        }
        for name, field in fields.items()
    ]


def shown_value(cls: type[PluginSettings], name: str, settings: PluginSettings) -> str | None:
    """Return the value of a setting in JSON's words, or ``None`` where it may be secret.

    Text that somebody has written may hold a password wherever it stands, so of text only choices from a fixed list
    are shown, and numbers, switches and paths where neither name nor type speaks of a secret.
    """
    value = getattr(settings, name)
    if not is_harmless(cls, name, value):
        return None
    return value if isinstance(value, str) else json.dumps(value, default=str).strip('"')


def is_harmless(cls: type[PluginSettings], name: str, value: Any) -> bool:
    """Tell whether ``value`` is neither a secret nor text that somebody may have written a secret or a name into."""
    field = cls.model_fields[name]
    if may_be_secret(cls, name) or not field.repr:
        return False
    parts = (field.annotation, *typing.get_args(field.annotation))
    chosen = any(typing.get_origin(part) is typing.Literal for part in parts)
    return value is None or isinstance(value, (bool, int, float, Path)) or chosen


def may_be_secret(cls: type[PluginSettings], name: str) -> bool:
    """Tell whether the type or the name of a setting speaks of a secret."""
    return _may_be_secret(name, cls.model_fields[name])


def _may_be_secret(name: str, field: FieldInfo) -> bool:
    return _is_secret(field.annotation) or any(word in name.lower() for word in SECRET_WORDS)


def _source(
    name: str,
    variable: str,
    field: FieldInfo,
    section: Mapping[str, Any],
    environ: Mapping[str, str],
) -> str:
    if variable in environ or f"{variable}_FILE" in environ:
        return "environment"
    if name in section:
        return "platform.toml"
    return "missing" if field.is_required() else "default"


def _default(name: str, field: FieldInfo) -> str | None:
    if field.is_required():
        return None
    if _may_be_secret(name, field):
        return "(not shown)"
    if field.default_factory is not None:
        return "(computed)"
    return repr(str(field.default) if isinstance(field.default, Path) else field.default)


def _is_secret(annotation: Any) -> bool:
    parts = (annotation, *typing.get_args(annotation))
    return any(part in {SecretStr, SecretBytes} for part in parts if isinstance(part, type))


def _type_name(annotation: Any) -> str:
    if isinstance(annotation, type):
        return annotation.__name__
    return str(annotation).replace("typing.", "")
