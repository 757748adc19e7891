"""The deployment's own secrets, to be recognised where they must not be: settings, variables and their files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings

from platform_core.observability.secret_names import is_secret, names_a_secret, says_nothing

DECLARED = None
"""Stands for the name of what is declared as a secret, whatever it is called."""
_SHORTEST = 6
_LINE_FROM = 16
"""Lines of a key are told one by one; so short a line says nothing."""


def known_secrets() -> frozenset[str]:
    """Return the values of every secret that this process knows by its settings and environment."""
    configured = settings.configured and hasattr(settings, "PLATFORM")
    return _known(id(settings.PLATFORM) if configured else 0)


@lru_cache(maxsize=2)
def _known(_settings: int) -> frozenset[str]:
    found: set[str] = set()
    for text in (*_of_environment(), *(_of_settings() if _settings else ())):
        for one in (text, *(text.splitlines() if "\n" in text else ())):
            if len(one) >= (_SHORTEST if one == text else _LINE_FROM) and "PRIVATE KEY" not in one:
                found.add(one)
    return frozenset(found)


def _of_environment() -> Iterator[str]:
    for name, value in os.environ.items():
        yield from _of_address(value)
        if not name.endswith("_FILE"):
            if is_secret(name, value):
                yield value
            continue
        if not value or not names_a_secret(name):
            continue
        try:
            yield Path(value).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):  # whoever needs it has said so
            continue


def _of_settings() -> Iterator[str]:
    state = settings.PLATFORM
    for part in (state.deployment.core, *state.plugin_settings.values()):
        for name in type(part).model_fields:
            yield from _in(getattr(part, name), name)
    for database in settings.DATABASES.values():
        yield from _in(database.get("PASSWORD", ""), DECLARED)
    for name in dir(settings):
        if name.isupper() and names_a_secret(name):
            called = name if name.endswith(("KEY", "SECRET", "TOKEN")) else ""
            yield from _in(getattr(settings, name), called)
    yield from _of_address(settings.PLATFORM_REDIS_URL or "")


def _in(value: Any, name: str | None) -> Iterator[str]:
    """Yield the secrets in ``value``: what is declared as one, addresses' passwords, and texts that ``name`` makes one."""
    if hasattr(value, "get_secret_value"):
        yield from _in(value.get_secret_value(), DECLARED)
    elif isinstance(value, bytes):
        yield from _in(value.decode("utf-8", "replace"), name)
    elif isinstance(value, str):
        yield from _of_address(value)
        if not says_nothing(value) if name is DECLARED else is_secret(name, value):
            yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _in(one, name)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for one in value:
            yield from _in(one, name)


def _of_address(text: str) -> Iterator[str]:
    """Yield the password of an address, as it is written and as it is meant."""
    if "://" not in text or "@" not in text:
        return
    try:
        password = urlsplit(text).password
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)
