"""Explain a URL: which route it is, of which plugin, behind what, and why it may not answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from platform_core import api_versions
from platform_core.api_versions import FIRST
from platform_core.registry.addresses import ANY_METHOD
from platform_core.registry.answers import (
    CORE,
    UNKNOWN,
    Answer,
    answer_for,
    distribution_of,
    guard_of,
    state_reasons,
)
from platform_core.registry.situation import Situation

METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
PROBES = ("/livez", "/readyz")
CONVERTERS = {
    "int": "[0-9]+",
    "slug": "[-a-zA-Z0-9_]+",
    "uuid": "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "path": ".+",
}
_PARAMETER = re.compile(r"(<[^>]+>)")


def split_address(thing: str) -> tuple[str, str] | None:
    """Return method (maybe empty) and path when ``thing`` is an address, with or without host; else None."""
    first, _, rest = thing.partition(" ")
    method, address = (first.upper(), rest) if first.upper() in METHODS and rest else ("", thing)
    if "://" not in address and not address.startswith(("/", "api/")):
        return None
    path = urlsplit(address).path
    return method, path if path.startswith("/") else f"/{path}"


def explain_address(situation: Situation, method: str, path: str) -> Iterator[Answer]:
    """Yield what answers at ``path``; when nothing does, what keeps it from being there, if that can be told."""
    for candidate in dict.fromkeys((path, f"{path.rstrip('/')}/")):
        found = _find(situation, candidate)
        if found is not None:
            slug, row = found
            yield _route(situation, slug, row, method, slash_missing=candidate != path)
            return
        if candidate in PROBES or _is_core(situation, candidate):
            yield Answer(kind="addresses", name=candidate, owner=CORE)
            return
    yield from _below_plugin(situation, path)


def _find(situation: Situation, path: str) -> tuple[str, Mapping[str, Any]] | None:
    for slug, row in situation.contents():
        if row["kind"] == "addresses" and matches(row["name"], path):
            return slug, row
    return None


def _is_core(situation: Situation, path: str) -> bool:
    routes = situation.snapshot.get("routes", {})
    return any(not facts["owner"] and matches(name, path) for name, facts in routes.items())


def matches(address: str, path: str) -> bool:
    """Tell whether ``path``, or the address itself as it is written, is what ``address`` is about."""
    if address == path:
        return True
    written, _, regex = address.partition("^")
    parts = (
        _converted(part) if part.startswith("<") else re.escape(part)
        for part in _PARAMETER.split(written)
    )
    try:
        return re.fullmatch("".join(parts) + regex.replace("^", ""), path) is not None
    except re.error:  # a stranger's own mixture of both kinds of patterns
        return False


def _converted(parameter: str) -> str:
    kind, colon, _ = parameter.strip("<>").partition(":")
    return CONVERTERS.get(kind, "[^/]+") if colon else "[^/]+"


def _route(
    situation: Situation, slug: str, row: Mapping[str, Any], method: str, *, slash_missing: bool
) -> Answer:
    access, flags = row["facts"]["access"], row["facts"]["flags"]
    shown = {
        name: one
        for name, one in access.items()
        if not method or name in (method, ANY_METHOD) or (method, name) == ("HEAD", "GET")
    }
    guard = [
        {"method": name, **guard_of(situation, one, flags.get(name, ()))}
        for name, one in shown.items()
    ]
    why = []
    if slash_missing:
        why.append("Without the slash at its end it answers 404.")
    if method and access and not shown:
        why.append(f"{method} answers 405: there are {', '.join(access)}.")
    off = {
        flag: state
        for one in guard
        for flag, state in one.get("flags", {}).items()
        if state not in ("on", UNKNOWN)
    }
    why += [f"It answers 404 while the flag {flag} is {state}." for flag, state in off.items()]
    return answer_for(situation, slug, row, guard=guard, why=why, facts={"methods": [*access]})


def _below_plugin(situation: Situation, path: str) -> Iterator[Answer]:
    """Yield why nothing is at ``path`` when it is below a plugin that is not enabled."""
    _version, slug, _rest = api_versions.split_address(path) or (FIRST, "", "")
    state = situation.state_of(slug)
    known = slug in situation.candidates or state != "missing"
    if slug and known and state != "enabled":
        yield Answer(
            kind="addresses",
            name=path,
            owner=slug,
            distribution=distribution_of(situation, slug),
            state=state,
            why=tuple(state_reasons(situation, slug, "addresses", state)),
        )
