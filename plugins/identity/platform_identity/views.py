"""``me``: who is signed in, with which roles and permissions."""

from __future__ import annotations

from typing import Any, cast

import orjson
import structlog
from django.db import OperationalError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework.exceptions import MethodNotAllowed, ParseError

from platform_core.access import Actor
from platform_core.registry import contributed
from platform_core.resource import ModelSerializer
from platform_identity.hookspecs import ProfileSection
from platform_identity.models import RoleAssignment, User
from platform_identity.selectors import current_assignments
from platform_identity.services import users

log = structlog.get_logger(__name__)
PROFILE_SECTIONS = "identity.profile_sections"


class ProfileSerializer(ModelSerializer):
    """What people may change about themselves."""

    class Meta:
        model = User
        fields = ("display_name", "language")


class NotDoneToAProfile(MethodNotAllowed):
    """A profile is read and changed, and nothing else is done to it."""

    allowed = ("GET", "HEAD", "PATCH")


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
        raise NotDoneToAProfile(request.method or "")
    return HttpResponse(orjson.dumps(_profile(user, actor)), content_type="application/json")


def _profile(user: User, actor: Actor) -> dict[str, Any]:
    return {
        "id": user.pk,
        "email": user.email,
        "display_name": user.display_name,
        "language": user.language,
        "roles": [_role(one) for one in current_assignments(user.pk)],
        "permissions": sorted(actor.grants.permissions),
        "sections": [_section(one, actor) for one in contributed(PROFILE_SECTIONS)],
    }


def _section(section: ProfileSection, actor: Actor) -> dict[str, Any]:
    """Return a section with what its plugin says; one that fails is told as not available, and takes nothing along."""
    told = {"key": section.name, "title": str(section.title)}
    try:
        # The block's own savepoint: a failed query must not spoil those that follow.
        with transaction.atomic():
            return {**told, "available": True, "data": section.data(actor)}
    except OperationalError:  # the database is gone or busy, which is nobody's section
        raise
    except Exception:  # whatever a stranger's code raises, the profile has to be answered
        plugin = section.name.partition(".")[0]
        log.exception("profile section raised", plugin=plugin, section=section.name)
        return {**told, "available": False, "data": None}


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
