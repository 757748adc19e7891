"""Typed settings: read from files, the environment and ``platform.toml``, reported all at once, never printed."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from platform_core.registry.problems import PluginProblem

S = TypeVar("S", bound="PluginSettings")


class PluginSettings(BaseSettings):
    """Base of a plugin's typed settings.

    Each field ``token`` of plugin ``billing`` is read from the file that ``PLUGIN_BILLING_TOKEN_FILE`` names, else
    from ``PLUGIN_BILLING_TOKEN``, else from ``[plugins.billing]`` in ``platform.toml``, else its default.
    """

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only what ``load_settings`` passes: it has already ordered and cleaned the sources."""
        return (init_settings,)


class SettingsFailure(Exception):
    """Some settings are missing, mistyped or unknown; ``problems`` says which, without their values."""

    def __init__(self, problems: list[PluginProblem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


def load_settings(
    cls: type[S],
    prefix: str,
    *,
    section: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    owner: str = "",
) -> S:
    """Read ``cls`` from variables that start with ``prefix`` and from a ``platform.toml`` section.

    Raises SettingsFailure with every problem at once: unreadable files, missing and mistyped values, and variables
    under the prefix that no field has.
    """
    section = section or {}
    values, problems = _environment_values(
        cls, prefix, os.environ if environ is None else environ, owner
    )
    merged = {**section, **values}
    try:
        loaded = cls(**merged)
    except ValidationError as error:
        problems += [
            PluginProblem(
                plugin=owner,
                code="setting_invalid",
                place=_variable(prefix, item["loc"], section.keys() - values.keys()),
                message=_sentence(item),
                way_out=_way_out(item, prefix),
            )
            for item in error.errors(include_context=False, include_url=False)
        ]
        raise SettingsFailure(problems) from None
    if problems:
        raise SettingsFailure(problems)
    return loaded


def read_variable(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the value of ``NAME_FILE``'s file, else of ``NAME``, else None; OSError when the file cannot be read."""
    path = environ.get(f"{name}_FILE")
    if path:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    return environ.get(name)


def _environment_values(
    cls: type[PluginSettings], prefix: str, environ: Mapping[str, str], owner: str
) -> tuple[dict[str, Any], list[PluginProblem]]:
    problems: list[PluginProblem] = []
    raw: dict[str, str] = {}
    known = {f"{prefix}{name}".upper() for name in cls.model_fields}
    for field in cls.model_fields:
        variable = f"{prefix}{field}".upper()
        try:
            value = read_variable(variable, environ)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            problems.append(
                PluginProblem(
                    plugin=owner,
                    code="setting_file_unreadable",
                    place=f"{variable}_FILE",
                    message=f"The file that {variable}_FILE names cannot be read: {reason}.",
                    way_out="Correct the path or its permissions.",
                )
            )
            continue
        if value is not None:
            raw[variable] = value
    for variable in environ:
        name = variable.removesuffix("_FILE")
        if variable.startswith(prefix) and variable not in known and name not in known:
            problems.append(
                PluginProblem(
                    plugin=owner,
                    code="setting_unknown",
                    place=variable,
                    message=f"No setting is called {variable}.",
                    way_out=f"Known here: {', '.join(sorted(known)) or 'none'}.",
                )
            )
    return _decoded(cls, prefix, raw, owner, problems)


def _decoded(
    cls: type[PluginSettings],
    prefix: str,
    raw: Mapping[str, str],
    owner: str,
    problems: list[PluginProblem],
) -> tuple[dict[str, Any], list[PluginProblem]]:
    """Turn variables into field values, lists and tables from JSON, as pydantic-settings reads them."""
    values: dict[str, Any] = {}
    source = EnvSettingsSource(cls, env_prefix=prefix, case_sensitive=False)
    for name, field in cls.model_fields.items():
        variable = f"{prefix}{name}".upper()
        if variable not in raw:
            continue
        complex_value, _ = source._field_is_complex(field)
        text = raw[variable]
        if not complex_value:
            values[name] = text
            continue
        try:
            values[name] = source.decode_complex_value(name, field, text)
        except ValueError:
            if text.lstrip().startswith(("[", "{")):
                problems.append(
                    PluginProblem(
                        plugin=owner,
                        code="setting_invalid",
                        place=variable,
                        message=f"{variable} is not valid JSON.",
                        way_out='Write lists as a,b or ["a", "b"] and tables as JSON.',
                    )
                )
            else:
                values[name] = [part.strip() for part in text.split(",") if part.strip()]
    return values, problems


def _variable(prefix: str, location: tuple[int | str, ...], section: Collection[str]) -> str:
    name = str(location[0]) if location else ""
    if name in section:
        owner = prefix.removeprefix("PLUGIN_").rstrip("_").lower()
        table = f"plugins.{owner}" if prefix.startswith("PLUGIN_") else owner
        return f"platform.toml [{table}] {name}"
    return f"{prefix}{name}".upper()


def _sentence(item: Any) -> str:
    if item["type"] == "missing":
        return "This setting is required and has no value."
    if item["type"] == "extra_forbidden":
        return "There is no such setting."
    if str(item["input"]) in item["msg"]:
        return "The value is not accepted."
    return f"The value is not accepted: {item['msg']}."


def _way_out(item: Any, prefix: str) -> str:
    variable = f"{prefix}{item['loc'][0]}".upper() if item["loc"] else prefix
    if item["type"] == "extra_forbidden":
        return "Remove it or correct its name."
    return f"Set {variable}, or {variable}_FILE to a file that holds it."
