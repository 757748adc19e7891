"""Describe a plugin's typed settings without ever showing a value that a deployment has set."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from platform_core.conf.settings import PluginSettings

SECRET_WORDS = ("secret", "password", "token", "key", "credential")


def describe_settings(
    cls: type[PluginSettings] | None,
    slug: str,
    section: Mapping[str, Any],
    environ: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Return each setting's name, variable, type, default, whether it is required, and where its value comes from.

    The default of a secret is not shown; ``source`` is ``environment``, ``platform.toml``, ``default`` or ``missing``.
    """
    fields = {} if cls is None else cls.model_fields
    return [
        {
            "name": name,
            "variable": (variable := f"PLUGIN_{slug}_{name}".upper()),
            "type": _type_name(field.annotation),
            "required": field.is_required(),
            "default": _default(name, field),
            "description": field.description or "",
            "source": _source(name, variable, field, section, environ),
        }
        for name, field in fields.items()
    ]


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
    if _is_secret(field.annotation) or any(word in name.lower() for word in SECRET_WORDS):
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
