"""The gate in front of views: access that is said, never assumed, and feature flags."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.views import APIView

from platform_core.access import Actor, acting_as, decide
from platform_core.contributions import PUBLIC, SIGNED_IN
from platform_core.resource.flags import require_flag
from platform_core.resource.rate_limits import Standing, recognise, tell
from platform_core.resource.requests import request_id_of
from platform_core.resource.trail import record_route_refusal

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

    from platform_core.access import Decision


def refuse(actor: Actor, decision: Decision | None = None) -> None:
    """Raise the refusal for ``actor``: ``NotAuthenticated`` for nobody, else ``PermissionDenied``."""
    if not actor.is_authenticated:
        raise NotAuthenticated
    raise PermissionDenied(None if decision is None else decision.reason or None)


def guard(
    view: Callable[..., Any], access: str, flag: str | None = None, *, slug: str = ""
) -> Callable[..., HttpResponseBase]:
    """Put ``view`` behind ``access`` and ``flag``; ``slug`` is the plugin that owns it.

    ``access`` is ``PUBLIC``, ``SIGNED_IN`` or the name of a permission that is about no row. The view runs with the
    request's actor as the current one, and finds it at ``request.actor``.
    """

    class Guarded(_Guarded):
        pass

    Guarded.view = staticmethod(view)
    Guarded.access = access
    Guarded.flag = flag
    Guarded.slug = slug
    answer = Guarded.as_view()

    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return answer(request, *args, **kwargs)

    return csrf_exempt(guarded)


class _Guarded(APIView):
    """Authenticates, decides, then hands the plain request to the view."""

    permission_classes = ()
    schema = None
    view: ClassVar[Callable[..., Any]]
    access: str
    flag: str | None
    slug: str
    standings: Sequence[Standing]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Authenticate and decide; content negotiation is the view's own matter."""
        self.actor, self.standings = recognise(request)
        require_flag(request, self.flag)
        if self.access == PUBLIC:
            return
        if self.access == SIGNED_IN:
            if not self.actor.is_authenticated:
                refuse(self.actor)
            return
        decision = decide(self.actor, self.access)
        if not decision:
            refuse(self.actor, decision)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Answer ``request`` by the view when its access allows."""
        self.args, self.kwargs = args, kwargs
        self.headers = {}
        self.request = self.initialize_request(request, *args, **kwargs)
        self.standings = ()
        try:
            self.initial(self.request, *args, **kwargs)
            plain: Any = request
            plain.actor = self.actor
            plain.access_decided = True
            with acting_as(self.actor, request_id=request_id_of(request)):
                response = type(self).view(request, *args, **kwargs)
        except Exception as error:  # the one place that turns any error into a problem
            response = self.handle_exception(error)
            record_route_refusal(self, response)
            self.standings = getattr(error, "standings", self.standings)
        tell(response, self.standings)
        return response
