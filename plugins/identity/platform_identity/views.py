"""``me``: who is signed in, with which roles and permissions."""

from __future__ import annotations

from typing import Any, cast

import orjson
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework.exceptions import MethodNotAllowed, ParseError

from platform_core.access import Actor
from platform_core.resource import ModelSerializer
from platform_identity.models import RoleAssignment, User
from platform_identity.selectors import current_assignments
from platform_identity.services import users


class ProfileSerializer(ModelSerializer):
    """What people may change about themselves."""

    class Meta:
        model = User
        fields = ("display_name", "language")


def me(request: HttpRequest) -> HttpResponse:
    """Answer the profile of the signed-in user; PATCH changes name and language."""
    actor = cast("Actor", request.actor)  # type: ignore[attr-defined]
    user = User.objects.filter(pk=actor.id).first()
    if user is None:
        raise Http404
    if request.method == "PATCH":
        serializer = ProfileSerializer(
            user, data=_body(request), partial=True, context={"actor": actor}
        )
        serializer.is_valid(raise_exception=True)
        user = users.update_user(user=user, changed_by=actor, **serializer.validated_data)
    elif request.method not in ("GET", "HEAD"):
        raise MethodNotAllowed(request.method or "")
    return HttpResponse(orjson.dumps(_profile(user, actor)), content_type="application/json")


def _profile(user: User, actor: Actor) -> dict[str, Any]:
    return {
        "id": user.pk,
        "email": user.email,
        "display_name": user.display_name,
        "language": user.language,
        "roles": [_role(one) for one in current_assignments(user.pk)],
        "permissions": sorted(actor.grants.permissions),
    }


def _role(assignment: RoleAssignment) -> dict[str, Any]:
    return {
        "name": assignment.role.name,
        "title": assignment.role.title,
        "scope": assignment.scope,
        "unit": assignment.unit_id,
        "object_model": assignment.object_model,
        "object_id": assignment.object_id,
        "starts_at": assignment.starts_at,
        "ends_at": assignment.ends_at,
    }


def _body(request: HttpRequest) -> Any:
    try:
        return orjson.loads(request.body or b"{}")
    except orjson.JSONDecodeError as error:
        raise ParseError from error
