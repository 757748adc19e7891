"""Addresses of the API, ``/api/v<version>/<slug>/``: a plugin may serve a second version of its things beside the first."""

from __future__ import annotations

import re

FIRST = 1
_ADDRESS = re.compile(r"/?api/v([1-9][0-9]{0,3})/([^/]+)(?:/(.*))?\Z", re.DOTALL)


def api_prefix(slug: str, version: int = FIRST) -> str:
    """Return what addresses of the plugin begin with, without a leading slash."""
    return f"api/v{version}/{slug}/"


def split_address(address: str) -> tuple[int, str, str] | None:
    """Return version, slug and the rest of an address below the API, with or without a leading slash; else None."""
    found = _ADDRESS.match(address)
    return None if found is None else (int(found[1]), found[2], found[3] or "")


def in_names(version: int) -> str:
    """Return what names that have to differ between versions carry; nothing for the first, which came without."""
    return "" if version == FIRST else f"v{version}"
