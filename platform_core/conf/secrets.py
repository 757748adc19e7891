"""Secrets: from ``NAME_FILE``, else ``NAME``, else an error; outside production a kept, generated one."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from platform_core.conf.settings import read_variable
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


def create_private_file(file: Path, text: str) -> bool:
    """Write ``text`` to the new ``file`` with mode 0600, whole or not at all; False when it exists already."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.link(draft, file)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


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
