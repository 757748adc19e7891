"""A resource as a request would have it, for the operations that go on after the request."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _
from rest_framework.request import Request

from platform_core.access import Actor
from platform_core.api_versions import FIRST
from platform_core.errors import Forbidden, NotFound
from platform_core.models import Operation
from platform_core.registry import installed
from platform_core.resource.declared import name_of
from platform_core.resource.flags import require_flag
from platform_core.system import SLUG, core_resources


def resource_for(
    actor: Actor, slug: str, name: str, action: str, *, query: str = "", version: int = FIRST
) -> Any:
    """Return the resource ``name`` of a plugin or the core, asked by ``actor`` for ``action`` with ``query``.

    It is decided again: raises NotFound when the resource is off, Forbidden when the actor may not do it any more.
    """
    found = [one for one in _resources(slug, name) if one.api_version == version]
    if not found:
        raise NotFound(_("There is no such thing."))
    view: Any = found[0](slug=slug)
    plain = HttpRequest()
    plain.method, plain.user = "GET", AnonymousUser()
    plain.GET = QueryDict(query)
    plain.actor = actor  # type: ignore[attr-defined]  # as authentication leaves it on a request
    require_flag(plain, view.flag)
    view.request, view.action, view.kwargs = Request(plain), action, {}
    view.format_kwarg, view.actor = None, actor
    if not view.policy.may_some(actor, action):
        raise Forbidden(_("You may not do this."))
    return view


def may_have_file(actor: Actor, operation: Operation) -> bool:
    """Tell whether ``actor``, who started ``operation``, may have the file that it made: of an export while they may export."""
    slug, name, action = (*operation.kind.split("."), "", "")[:3]
    if action != "export":
        return True
    return any(one.policy.may_some(actor, action) for one in _resources(slug, name))


def _resources(slug: str, name: str) -> list[Any]:
    resources = core_resources() if slug == SLUG else installed().of_plugin(slug, "resources")
    return [one for one in resources if name_of(one) == name]
