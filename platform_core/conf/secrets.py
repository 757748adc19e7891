"""Secrets: from ``NAME_FILE``, else ``NAME``, else an error; outside production a kept, generated one."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from pathlib import Path

from platform_core.conf.settings import read_variable
from platform_core.durable import create_private_file
from platform_core.registry.problems import PluginErrors, PluginProblem

KEY_BYTES = 32


def required_secret(name: str, environ: Mapping[str, str]) -> str:
    """Return the secret ``name``; raises PluginErrors when it is missing or its file cannot be read."""
    try:
        value = read_variable(name, environ)
    except OSError as error:
        raise _missing(
            name, f"The file that {name}_FILE names cannot be read: {error.strerror}."
        ) from error
    if not value:
        raise _missing(name, "This secret is required and has no value.")
    return value


def kept_secret(name: str, environ: Mapping[str, str], file: Path) -> str:
    """Return the secret ``name``, else the one kept in ``file``, which is created (0600) with a random value.

    Two processes that start at once agree on one value.
    """
    if environ.get(name) or environ.get(f"{name}_FILE"):
        return required_secret(name, environ)
    if not file.exists():
        create_private_file(file, secrets.token_urlsafe(48))
    return file.read_text(encoding="utf-8").strip()


def key_bytes(text: str) -> bytes:
    """Return the 32 bytes that ``text`` is in URL-safe base64; raises ValueError, without the text."""
    try:
        found = base64.b64decode(text.strip(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != KEY_BYTES:
        raise ValueError(f"a key is {KEY_BYTES} random bytes in URL-safe base64")
    return found


def new_key() -> str:
    """Return a new key, as the settings take it."""
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _missing(name: str, message: str) -> PluginErrors:
    return PluginErrors(
        [
            PluginProblem(
                plugin="",
                code="secret_missing",
                place=name,
                message=message,
                way_out=f"Set {name}_FILE to a readable file that holds it, or {name}.",
            )
        ]
    )
