"""Settings over HTTP, one by one: looked at with an ``ETag``, changed and reset at run time; never a secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from django.http import Http404, HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ParseError

from platform_core.access import Granted, Policy, decide
from platform_core.contributions import Permission, Route
from platform_core.errors import Invalid
from platform_core.models import SettingChange
from platform_core.resource import ModelSerializer, Resource
from platform_core.resource.conditional import is_unchanged, require_match, tag_of
from platform_core.resource.filters import check_parameters
from platform_core.resource.gate import refuse
from platform_core.resource.rendering import JSON, dumps
from platform_core.resource.shape import FIELDS, shape_of
from platform_core.runtime_settings.changing import reset_value, set_value, version_of
from platform_core.runtime_settings.overview import settings_in_force
from platform_core.system import descriptions
from platform_core.system.listing import only, tell_methods
from platform_core.system.listings import SETTING
from platform_core.system.performing import perform_once
from platform_core.system.permissions import VIEW_SETTINGS

if TYPE_CHECKING:
    from django.http import HttpRequest

CHANGE_SETTINGS = "system.change_settings"
VIEW_CHANGES = "system.view_setting_changes"
REASON_LENGTH = 500

PERMISSIONS = (
    Permission(
        name=CHANGE_SETTINGS,
        title=_("Change settings of the deployment at run time"),
        rule=Granted(CHANGE_SETTINGS),
    ),
    Permission(
        name=VIEW_CHANGES,
        title=_("View who changed settings at run time, and to what"),
        rule=Granted(VIEW_CHANGES),
        model=SettingChange._meta.label,
    ),
)


@dataclass(frozen=True, slots=True)
class _State:
    """What ``If-Match`` is compared with."""

    version: int


def one(request: HttpRequest, key: str) -> HttpResponse:
    """Answer one setting, or change its value for all processes."""
    if request.method == "OPTIONS":
        return tell_methods("GET, HEAD, OPTIONS, PATCH")
    only(request, "GET", "HEAD", "PATCH")
    if request.method == "PATCH":
        return _performed(request, key, _change)
    check_parameters(request.GET, frozenset({FIELDS}), {})
    shape = shape_of(request.GET, [*SETTING], ())
    response = _answer(key, shape.rows([_row(key)])[0])
    if is_unchanged(request, response["ETag"]):
        return HttpResponse(status=304, headers={"ETag": response["ETag"]})
    return response


def reset(request: HttpRequest, key: str) -> HttpResponse:
    """Put one setting back to what file and default say."""
    if request.method == "OPTIONS":
        return tell_methods("OPTIONS, POST")
    only(request, "POST")
    return _performed(request, key, _reset)


Perform = Callable[[str, Mapping[str, Any], Callable[[int], None]], None]


def _change(key: str, body: Mapping[str, Any], check: Callable[[int], None]) -> None:
    if "value" not in body:
        raise Invalid(_("This field is required."), code="required", pointer="/value")
    set_value(variable=key, value=body["value"], reason=_reason(body, {"value"}), check=check)


def _reset(key: str, body: Mapping[str, Any], check: Callable[[int], None]) -> None:
    reset_value(variable=key, reason=_reason(body, set()), check=check)


def _performed(request: HttpRequest, key: str, perform: Perform) -> HttpResponse:
    """Do it in one transaction with its event in the audit trail, and answer the setting as it is then."""
    actor = request.actor  # type: ignore[attr-defined]  # set by the gate
    decision = decide(actor, CHANGE_SETTINGS)
    if not decision:
        refuse(actor, decision)
    header = request.headers.get("If-Match")

    def work() -> HttpResponse:
        _row(key)
        perform(key, _body(request), lambda version: require_match(header, _State(version)))
        return _answer(key, _row(key))

    return perform_once(request, work)


def _row(key: str) -> dict[str, Any]:
    found = next((row for row in settings_in_force() if row["variable"] == key), None)
    if found is None:
        raise Http404
    return found


def _answer(key: str, row: Mapping[str, Any]) -> HttpResponse:
    body = dumps(row)
    return HttpResponse(body, content_type=JSON, headers={"ETag": tag_of(version_of(key), body)})


def _body(request: HttpRequest) -> Mapping[str, Any]:
    try:
        found = orjson.loads(request.body or b"{}")
    except orjson.JSONDecodeError as error:
        raise ParseError from error
    if not isinstance(found, dict):
        raise Invalid(_("Send an object."), code="invalid", pointer="")
    return found


def _reason(body: Mapping[str, Any], known: set[str]) -> str:
    for name in body:
        if name not in {*known, "reason"}:
            raise Invalid(_("There is no such field."), code="unknown_field", pointer=f"/{name}")
    reason = body.get("reason", "")
    if not isinstance(reason, str) or len(reason) > REASON_LENGTH or "\0" in reason:
        raise Invalid(
            _("Write a text of at most {count} characters.").format(count=REASON_LENGTH),
            code="invalid",
            pointer="/reason",
        )
    return reason


class SettingChangeSerializer(ModelSerializer):
    """One change of one setting: to which value, by whom, and why."""

    class Meta:
        model = SettingChange
        fields = (
            "id",
            "plugin",
            "name",
            "version",
            "is_reset",
            "value",
            "changed_at",
            "actor_kind",
            "actor_id",
            "request_id",
            "reason",
        )
        read_only_fields = fields


class SettingChangeResource(Resource):
    """The history of settings that were changed at run time, newest first; nobody changes it."""

    model = SettingChange
    serializer_class = SettingChangeSerializer
    name = "setting-changes"
    actions = ("list", "retrieve")
    policy = Policy(view=VIEW_CHANGES)
    ordering = "-changed_at"
    filterset_fields = {
        "plugin": ["exact"],
        "name": ["exact"],
        "actor_id": ["exact"],
        "is_reset": ["exact"],
        "changed_at": ["gte", "lt"],
    }


_REASON = {"type": "string", "maxLength": REASON_LENGTH, "description": "Why, for its history."}
_VALUE = {"description": "The new value: of its type, or as the text that value shows."}

ROUTES = (
    Route(
        path="settings/<str:key>/",
        name="settings-detail",
        access=VIEW_SETTINGS,
        view=one,
        describe=lambda: descriptions.of_changeable_row(
            "Settings and where their values come from",
            SETTING,
            {"value": _VALUE, "reason": _REASON},
            required=("value",),
        ),
    ),
    Route(
        path="settings/<str:key>/reset/",
        name="settings-reset",
        access=VIEW_SETTINGS,
        view=reset,
        describe=lambda: descriptions.of_action(
            "reset",
            "Put a setting back to what file and default say",
            SETTING,
            {"reason": _REASON},
            conditional=True,
        ),
    ),
)
