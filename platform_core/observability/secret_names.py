"""What a name and a value say about whether the value is a secret: names alone would hide "true" in every log."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

NAMES_OF_SECRETS: Final = (
    r"password|passwd|passphrase|secret|token(?!iz)|api_?key|private_?key|signing_?key|credential"
    r"|authorization|cookie|jwt|session_?key"
)
"""What is called so holds a secret; case does not matter."""
_NAME = re.compile(rf"(?:{NAMES_OF_SECRETS}|_KEYS?(?![A-Z]))", re.IGNORECASE)
_ABOUT: Final = re.compile(
    r"[_-](?:AGE|ALGORITHM|ALGORITHMS|AUDIENCE|BACKEND|COUNT|DAYS|DIR|DOMAIN|ENABLED|ENDPOINT|EXPIRY|FORMAT|HASHERS|HEADER"
    r"|HOST|HOURS|HTTPONLY|INTERVAL|ISSUER|LEEWAY|LENGTH|LIFETIME|LIMIT|MAX|MIN|MINUTES|MODE|NAME|PATH|POLICY|PORT|PREFIX"
    r"|PROVIDER|REGION|REQUIRED|ROTATION|SAMESITE|SCOPE|SCOPES|SECONDS|SECURE|SIZE|STORE|TIMEOUT|TTL|TYPE|URI|URL|VERSION)\Z",
    re.IGNORECASE,
)
"""How a name ends that speaks about a secret: how long it lives, where it is asked for, what its header is called."""
_SWITCHES: Final = frozenset(
    [
        "always",
        "auto",
        "default",
        "disable",
        "disabled",
        "empty",
        "enable",
        "enabled",
        "false",
        "never",
        "nil",
        "no",
        "none",
        "null",
        "off",
        "on",
        "optional",
        "required",
        "strict",
        "true",
        "undefined",
        "unset",
        "yes",
    ]
)
"""Words that turn something on or off; whoever reads one has learnt no secret."""
_MADE_FROM = 16
"""So long a mixture of letters and digits was made by a machine."""


def names_a_secret(name: str) -> bool:
    """Tell whether a variable or a setting of this name may hold a secret."""
    return _NAME.search(name) is not None


def says_nothing(value: str) -> bool:
    """Tell whether ``value`` is a switch, which is no secret whatever it is called."""
    return value.casefold() in _SWITCHES


def is_secret(name: str, value: str) -> bool:
    """Tell whether ``value`` is to be hidden wherever it stands, for it is called ``name``.

    Hidden is what may be a secret: any text under the name of one, be it a short word or a number. Not so a switch, the path
    of a file, and what stands under a name that only speaks about secrets, such as ``TOKEN_ISSUER``, unless it looks made by
    a machine. The password of an address is found by its form, whatever it is called.
    """
    return names_a_secret(name) and may_hold_one(name, value) and not _is_path(value)


def may_hold_one(name: str, value: str) -> bool:
    """Tell whether ``value`` may be a secret, given that ``name`` speaks of one; no file is looked for."""
    if says_nothing(value):
        return False
    return _ABOUT.search(name) is None or _looks_made(value)


def _is_path(value: str) -> bool:
    try:
        return value.startswith("/") and Path(value).exists()
    except (OSError, ValueError):  # no name of a file: too long, or with a NUL
        return False


def _looks_made(value: str) -> bool:
    return any(
        len(word) >= _MADE_FROM and any(map(str.isdigit, word)) and any(map(str.isalpha, word))
        for word in re.split(r"[\s/:?&=,;@.]+", value)
    )
