"""What of a resource is going away: told in headers (RFC 9745, RFC 8594), in OpenAPI, and to the operator by who still uses it."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import structlog
from django.utils.http import http_date

from platform_core.observability.metrics import recorder
from platform_core.resource.declared import filters_of, label_of, single_parameters
from platform_core.resource.operations import operations_of
from platform_core.resource.shape import FIELDS

if TYPE_CHECKING:
    from django.http import HttpResponse

    from platform_core.resource.base import Resource

LOGGER = "platform_core.deprecation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecated:
    """Says that something goes away: deprecated ``since`` a day, and maybe not there any more from the ``sunset`` on.

    ``successor`` is the address of what replaces it, ``link`` that of a page about it, ``instead`` a sentence for
    readers of the description. Nothing is switched off by the day itself.
    """

    since: datetime.date
    sunset: datetime.date | None = None
    successor: str = ""
    link: str = ""
    instead: str = ""

    def links(self) -> Iterator[str]:
        """Yield what ``Link`` says."""
        if self.link:
            yield f'<{self.link}>; rel="deprecation"; type="text/html"'
        if self.successor:
            yield f'<{self.successor}>; rel="successor-version"'

    def in_openapi(self) -> dict[str, Any]:
        """Return the keywords that mark an operation, a parameter or a property."""
        found: dict[str, Any] = {"deprecated": True}
        return found if self.sunset is None else {**found, "x-sunset": self.sunset.isoformat()}

    def described(self, text: str) -> str:
        """Return ``text`` with what to use instead."""
        until = "" if self.sunset is None else f" It may be gone from {self.sunset.isoformat()} on."
        return f"{text} Deprecated.{until} {self.instead}".strip()


@cache
def declared_of(resource: type[Resource]) -> Mapping[str, Deprecated]:
    """Return what a resource declares as deprecated, by ``resource``, ``action x``, ``parameter x`` and ``field x``."""
    found = {} if resource.deprecated is None else {"resource": resource.deprecated}
    for kind, parts in (
        ("action", resource.deprecated_actions),
        ("parameter", resource.deprecated_parameters),
        ("field", resource.deprecated_fields),
    ):
        found |= {f"{kind} {name}": one for name, one in parts.items()}
    return found


def deprecation_problems(resource: type[Resource]) -> Iterator[str]:
    """Yield what is wrong with the declarations."""
    known: Mapping[str, Collection[str]] = {
        "resource": {""},
        "action": {*resource.actions, *operations_of(resource)},
        "parameter": {*filters_of(resource), *single_parameters(resource)},
        "field": resource.serializer_class().fields.keys(),
    }
    for what, one in declared_of(resource).items():
        kind, _, name = what.partition(" ")
        if name not in known[kind]:
            yield f"it names the {what}, which does not exist"
        if one.sunset is not None and one.sunset < one.since:
            yield f"the sunset of the {what} is before it was deprecated"
        if any(character in f"{one.link}{one.successor}" for character in '<>"\r\n '):
            yield f"an address of the {what} has a character that no address has"


def used(view: Resource) -> dict[str, Deprecated]:
    """Return what of the deprecated the request has used."""
    declared = declared_of(type(view))
    names = {"resource", f"action {view.action}"}
    query = view.request._request.GET
    names |= {f"parameter {name}" for name in query}
    names |= {f"field {name.strip()}" for name in query.get(FIELDS, "").split(",")}
    body = getattr(view, "body", None)
    if isinstance(body, dict):
        names |= {f"field {name}" for name in body}
    return {what: one for what, one in declared.items() if what in names}


def tell(view: Resource, response: HttpResponse) -> None:
    """Say in the answer what of the deprecated was used, and count it with the kind of caller, nobody by name."""
    found = used(view)
    if not found:
        return
    first = min(one.since for one in found.values())
    response["Deprecation"] = f"@{_second(first)}"
    sunsets = [one.sunset for one in found.values() if one.sunset is not None]
    if sunsets:
        response["Sunset"] = http_date(_second(min(sunsets)))
    links = dict.fromkeys(link for one in found.values() for link in one.links())
    if links:
        own = [response["Link"]] if "Link" in response else []
        response["Link"] = ", ".join([*own, *links])
    kind = view.actor.kind if getattr(view, "actor", None) else "anonymous"
    resource = label_of(view.slug, type(view))
    for what in found:
        recorder().add_deprecated(view.slug, f"{resource} {what}", kind)
        structlog.get_logger(LOGGER).info(
            "deprecated_call", plugin=view.slug, resource=resource, what=what, caller=kind
        )


def _second(day: datetime.date) -> int:
    return int(datetime.datetime.combine(day, datetime.time(), datetime.UTC).timestamp())
