"""The deployment's own secrets, to be recognised where they must not be: settings, variables and their files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from django.conf import settings

NAMES_OF_SECRETS: Final = (
    r"password|passwd|passphrase|secret|token|api_?key|private_?key|signing_?key|credential"
    r"|authorization|cookie|jwt|session_?key"
)
"""What is called so holds a secret; case does not matter."""
_VARIABLE = re.compile(rf"(?:{NAMES_OF_SECRETS}|_KEYS?)", re.IGNORECASE)
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
        if not value or not _VARIABLE.search(name):
            continue
        if not name.endswith("_FILE"):
            yield value
            continue
        try:
            yield Path(value).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):  # whoever needs it has said so
            continue


def _of_settings() -> Iterator[str]:
    state = settings.PLATFORM
    for part in (state.deployment.core, *state.plugin_settings.values()):
        for name in type(part).model_fields:
            yield from _in(getattr(part, name), named=_VARIABLE.search(name) is not None)
    for database in settings.DATABASES.values():
        yield from _in(database.get("PASSWORD", ""), named=True)
    for name in dir(settings):
        if name.isupper() and _VARIABLE.search(name):
            yield from _in(getattr(settings, name), named=name.endswith(("KEY", "SECRET", "TOKEN")))
    yield from _of_address(settings.PLATFORM_REDIS_URL or "")


def _in(value: Any, *, named: bool) -> Iterator[str]:
    """Yield the secrets in ``value``: what is declared as one, addresses' passwords, and texts when it is ``named`` so."""
    if hasattr(value, "get_secret_value"):
        yield from _in(value.get_secret_value(), named=True)
    elif isinstance(value, bytes):
        yield from _in(value.decode("utf-8", "replace"), named=named)
    elif isinstance(value, str):
        yield from _of_address(value)
        if named:
            yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _in(one, named=named)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for one in value:
            yield from _in(one, named=named)


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
