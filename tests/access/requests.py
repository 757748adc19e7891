"""A valid request for each operation: for actions of resources by their kind, for everything else one by one.

What an operation of a plugin needs beyond that is said here: ``STATES`` bring a row into the state that an operation
asks for, ``BODIES`` are inputs of operations, ``ROUTES`` are requests to what is no resource.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core import mail
from django.db.models import Model
from django.test import Client
from django.utils import timezone
from waffle import get_waffle_flag_model

from platform_core.access import Actor
from platform_core.audit import Event, record
from platform_core.mail import send_mail
from platform_core.models import (
    AuditEvent,
    AuditPayload,
    EventDelivery,
    EventRecord,
    MailMessage,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookMessage,
    uuid7,
)
from platform_core.models import Operation as LongOperation
from platform_core.operations.files import writing_result
from platform_core.plugin import API_PREFIX
from platform_core.resource import Resource
from platform_core.resource.bulk import BULK_PREFIX
from platform_core.resource.declared import name_of
from platform_core.resource.operations import operations_of
from platform_core.runtime_settings.changing import set_value
from platform_core.tasks.backend import engine
from platform_core.tasks.engine import Submission
from platform_core.testing.contract.bodies import remove, writable
from platform_core.testing.contract.subjects import ResourceSubject
from platform_core.testing.factories import make, make_in_unit
from platform_core.testing.jobs import run_waiting_jobs
from platform_core.webhooks import services as webhooks
from platform_core.webhooks.signing import new_secret
from platform_education.rules import CLASS_SECTIONS_FLAG
from platform_identity.mails import AccountReactivated
from platform_identity.models import LoginSession, OrgUnit, Role, User
from platform_identity.services import tokens, users
from platform_identity.testing import PASSWORD, make_role, make_unit
from tests.access.operations import Operation
from tests.access.world import World, new_email

AUTH = f"/{API_PREFIX}identity/auth/{{client}}/v1"
_ON_A_DAY = {"on_date": dt.date(2030, 1, 1).isoformat()}


@dataclass
class Request:
    """A request without its sender; ``row`` is what it is about, ``headers`` what goes with anybody's credentials."""

    method: str
    address: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    row: Model | None = None
    own: Callable[[str], Mapping[str, Any]] | None = None
    """What the sender ``persona`` changes of the request: keys of it."""
    content_type: str = "application/json"

    def send(self, headers: Mapping[str, str], persona: str = "admin") -> Any:
        """Send it with ``headers``, from an address of its own so that nobody's limit is used up."""
        changes = self.own(persona) if self.own is not None else {}
        body = changes.get("body", self.body)
        client: Any = Client(REMOTE_ADDR=_new_address())
        return client.generic(
            self.method,
            self.address,
            b"" if body is None else json.dumps(body).encode(),
            content_type=self.content_type,
            headers={**self.headers, **headers, **changes.get("headers", {})},
        )


_senders = iter(range(1, 2**31))


def _new_address() -> str:
    number = next(_senders)
    return f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1"


class NoRequest(AssertionError):
    """Nobody has said how an operation is validly asked for."""


def request_for(operation: Operation, world: World) -> Request:
    """Make the rows that a valid request of ``operation`` is about and return it; raises NoRequest."""
    known = ROUTES.get((operation.method, operation.address))
    if known is not None:
        return known(operation, world)
    if operation.resource is not None:
        return _to_resource(operation, operation.resource, world)
    if operation.method == "GET" and "{" not in operation.address:
        return Request("GET", operation.address)
    raise NoRequest(
        f"{operation}: nobody has said how it is validly asked for. Add it to ROUTES in tests/access/requests.py."
    )


def new_row(model: type[Model], world: World) -> Any:
    """Return a row of ``model`` that belongs to the world's unit, or to its people, if rows of the model belong to any."""
    if model is OrgUnit:
        return make_unit("Below", parent=world.unit)
    if model is Role:
        return make_role("education.view_school")
    if model is User:
        return make(User)
    if model in (AuditEvent, AuditPayload):
        record(Event(action="tested", personal={"address": "192.0.2.1"}))
        return model._base_manager.latest("pk")
    if model is LongOperation:
        return new_operation(world)
    if model in _OF_THE_DEPLOYMENT:
        return _OF_THE_DEPLOYMENT[model]()
    if model is get_waffle_flag_model():
        return model._base_manager.get(name=CLASS_SECTIONS_FLAG)
    if model is LoginSession:
        return make(LoginSession, user=world.people["owner"])
    if not getattr(model, "unit_path", ""):
        return make(model)
    unit = make_unit("Apart", parent=world.unit)
    on_the_way = model.unit_path.partition("__")[0]  # type: ignore[attr-defined]
    others = {
        one.name: make_in_unit(one.related_model, unit)
        for one in model._meta.concrete_fields
        if one.is_relation
        and not one.null
        and one.name != on_the_way
        and getattr(one.related_model, "unit_path", "")
    }
    return make_in_unit(model, unit, **others)


def new_operation(world: World, **values: Any) -> LongOperation:
    """Return an operation that the owner of the unit has started."""
    until = timezone.now() + dt.timedelta(days=1)
    starter = {"actor_id": world.people["owner"].pk, "actor_kind": "user", "expires_at": until}
    return LongOperation.objects.create(plugin="education", kind="Import", **starter, **values)


def new_event() -> EventRecord:
    """Return an event that nobody hears."""
    event_id = uuid7()
    return EventRecord.objects.create(
        id=event_id,
        name="identity.user.created",
        version=1,
        plugin="identity",
        aggregate=f"identity.user:{event_id}",
        sequence=1,
        payload={"user": str(event_id)},
        occurred_at=timezone.now(),
        actor_kind="system",
    )


def new_parked_delivery() -> EventDelivery:
    """Return a delivery that waits for somebody to decide about it."""
    event, now = new_event(), timezone.now()
    return EventDelivery.objects.create(
        event=event,
        subscription="identity.none",
        plugin="identity",
        aggregate=event.aggregate,
        sequence=1,
        not_before=now,
        parked_at=now,
    )


def new_endpoint() -> WebhookEndpoint:
    """Return an endpoint of webhooks that nobody is ever told at."""
    return WebhookEndpoint.objects.create(
        url="https://hooks.example.org/in",
        event_types=["identity.user.created"],
        secret=new_secret(),
    )


def new_message() -> WebhookMessage:
    """Return what an endpoint is told."""
    delivery = webhooks.ping(endpoint=new_endpoint())
    return WebhookMessage.objects.get(pk=delivery.message_id)


def new_attempt() -> WebhookAttempt:
    """Return an attempt to deliver that came to nothing."""
    return WebhookAttempt.objects.create(
        delivery=webhooks.ping(endpoint=new_endpoint()),
        number=1,
        attempted_at=timezone.now(),
        duration_ms=20_000,
        error="timed_out",
    )


def _to_resource(operation: Operation, resource: type[Resource], world: World) -> Request:
    subject = ResourceSubject(operation.slug, resource)
    action = operation.action.removeprefix(BULK_PREFIX)
    row = new_row(resource.model, world)
    body = _body_of(subject, action, row, world)
    address = operation.address.replace("{id}", str(row.pk)).replace("{version}", "1")
    if operation.parent is not None:  # of the new row, or of the one that is listed
        field = operation.parent.field
        key = body[field] if action == "create" else getattr(row, f"{field}_id")
        address = address.replace(f"{{{operation.parent.parameter}}}", str(key))
    if action == "diff":
        address += "?from=1&to=1"
    if action == "list":
        address += "?limit=200"
    if action == "export":
        address += "?format=jsonl"
    if action == "import":  # one line of JSON Lines
        return Request("POST", address, body, row=row, content_type="application/jsonl")
    STATES.get((operation.slug, name_of(resource), action), lambda _row: None)(row)
    if action == "restore":
        row.delete()
    headers = {}
    if hasattr(row, "version") and operation.method not in ("GET", "POST"):
        headers["If-Match"] = f'"{row.version}"'
    if action == "revert":
        headers["If-Match"] = f'"{row.version}"'
    if operation.action.startswith(BULK_PREFIX):
        item = body if action == "create" else {"id": str(row.pk), **(body or {})}
        if action == "partial_update" and resource.requires_match:
            item["if_match"] = f'"{row.version}"'
        if action == "destroy" and resource.requires_match:
            item["if_match"] = f'"{row.version}"'
        return Request("POST", address, {"items": [item]}, row=row)
    return Request(operation.method, address, body, headers, row)


def _body_of(subject: ResourceSubject, action: str, row: Any, world: World) -> Any:
    actor = Actor(world.people["admin"].pk, "user")
    if action in ("update", "partial_update"):
        return writable(subject, actor, row)
    if action in ("create", "import"):
        model = new_row(subject.model, world)
        body = writable(subject, actor, model)
        remove(model)
        return body
    if action == "revert":
        return {}
    operation = operations_of(subject.resource).get(action)
    if operation is not None and operation.serializer_class is not None:
        key = (subject.slug, name_of(subject.resource), action)
        if key not in BODIES:
            raise NoRequest(
                f"{subject} {action}: nobody has said what it validly takes. Add it to BODIES in tests/access/requests.py."
            )
        return BODIES[key]
    return None


def failed_mail() -> MailMessage:
    """Return a mail that was given up."""
    mail_id = send_mail(AccountReactivated.example(), to="person@example.org")
    (job,) = engine().listed(queue="identity", status="waiting", limit=1)
    engine().cancel(job.id)
    MailMessage.objects.filter(pk=mail_id).update(state=MailMessage.State.FAILED)
    return MailMessage.objects.get(pk=mail_id)


_OF_THE_DEPLOYMENT: dict[type[Model], Callable[[], Model]] = {
    EventRecord: new_event,
    EventDelivery: new_parked_delivery,
    MailMessage: failed_mail,
    WebhookEndpoint: new_endpoint,
    WebhookDelivery: lambda: webhooks.ping(endpoint=new_endpoint()),
    WebhookAttempt: new_attempt,
    WebhookMessage: new_message,
}
"""What makes rows that belong to no unit and nobody."""


STATES: dict[tuple[str, str, str], Callable[[Any], Any]] = {
    ("identity", "users", "reactivate"): lambda user: users.suspend_user(user=user),
    ("operations", "operations", "destroy"): lambda one: (
        type(one).objects.filter(pk=one.pk).update(state="succeeded", finished_at=timezone.now())
    ),
    ("system", "webhook-deliveries", "redeliver"): lambda one: type(one).objects.update(
        state="failed"
    ),
}
"""By slug, resource and action: what brings a row into the state that the action asks for."""

BODIES: dict[tuple[str, str, str], Mapping[str, Any]] = {
    ("system", "audit-payloads", "erase"): {"reason": "asked for"},
    ("system", "webhooks", "rotate_secret"): {"overlap_hours": 1},
    ("system", "webhooks", "redeliver_failed"): {"since": "2026-11-26T00:00:00Z"},
    ("system", "webhooks", "replay"): {"since": "2026-11-26T00:00:00Z", "again": True},
    ("education", "course-enrollments", "withdraw"): _ON_A_DAY,
    ("education", "section-enrollments", "withdraw"): _ON_A_DAY,
}
"""By slug, resource and operation: what the operation validly takes."""


def _to_auth(operation: Operation, **known: Any) -> Request:
    return Request(operation.method, operation.address.replace("{client}", "app"), **known)


def _login(operation: Operation, world: World) -> Request:
    world.bystander.set_password(PASSWORD)
    world.bystander.save(update_fields=["password"])
    return _to_auth(operation, body={"email": world.bystander.email, "password": PASSWORD})


def _signup(operation: Operation, world: World) -> Request:
    return _to_auth(operation, body={"email": new_email(), "password": PASSWORD})


def _reauthenticate(operation: Operation, world: World) -> Request:
    return _to_auth(operation, body={"password": PASSWORD})


def _change_password(operation: Operation, world: World) -> Request:
    body = {"current_password": PASSWORD, "new_password": f"{PASSWORD}-2"}
    return _to_auth(operation, body=body)


def _ask_for_reset(operation: Operation, world: World) -> Request:
    return _to_auth(operation, body={"email": world.bystander.email})


def _reset(operation: Operation, world: World) -> Request:
    mail.outbox.clear()
    asked = Request(
        "POST",
        f"{AUTH}/auth/password/request".replace("{client}", "app"),
        {"email": world.bystander.email},
    ).send({})
    run_waiting_jobs()
    words = mail.outbox[-1].body.split()
    code = next(word for word in words if len(word) >= 6 and word.isupper())
    headers = {
        "X-Session-Token": asked.json()["meta"]["session_token"],
        "X-Password-Reset-Key": code,
    }
    body = {"key": code, "password": f"{PASSWORD}-3"} if operation.method == "POST" else None
    return _to_auth(operation, body=body, headers=headers)


def _refresh(operation: Operation, world: World) -> Request:
    def own(persona: str) -> Mapping[str, Any]:
        session = world.sessions.get(persona, world.sessions["no_role"])
        return {"body": {"refresh_token": tokens.issue_tokens(session=session).refresh_token}}

    return Request("POST", operation.address, own=own)


def _plain(operation: Operation, world: World) -> Request:
    return _to_auth(operation)


def _me(operation: Operation, world: World) -> Request:
    return Request(operation.method, operation.address, {"display_name": "Named anew"})


def _file(operation: Operation, world: World) -> Request:
    made = new_operation(world, state=LongOperation.State.SUCCEEDED)
    with writing_result(made.pk) as (token, target):
        target.write(b"a,b\n")
    made.file_token, made.file_name, made.file_type, made.file_size = token, "a.csv", "text/csv", 4
    made.save()
    return Request("GET", operation.address.replace("{operation_id}", str(made.pk)))


def _to_plugin(operation: Operation, world: World) -> Request:
    return Request(operation.method, operation.address.replace("{key}", "education"))


def _to_task(operation: Operation, world: World) -> Request:
    job = engine().enqueue(Submission(task="identity.none", queue="identity", payload={}))
    if operation.path.endswith("retry/"):
        engine().cancel(job.id)
    return Request(operation.method, operation.address.replace("{key}", job.id))


def _to_flag_change(operation: Operation, world: World) -> Request:
    details = {"flag": CLASS_SECTIONS_FLAG, "before": {}, "after": {}}
    record(Event(action="update", target_type="waffle.flag", target_id="1", details=details))
    row = AuditEvent.objects.latest("pk")
    address = operation.address.replace("{id}", str(row.pk))
    return Request(
        "GET", address if "{id}" in operation.address else f"{address}?limit=200", row=row
    )


def _to_setting(operation: Operation, world: World) -> Request:
    variable = "PLUGIN_IDENTITY_SESSION_TTL"
    body = {"PATCH": {"value": 3600}, "POST": {"reason": "over"}}.get(operation.method)
    if operation.path.endswith("reset/"):
        set_value(variable=variable, value=3600)
    return Request(operation.method, operation.address.replace("{key}", variable), body)


SYSTEM = f"/{API_PREFIX}system"

ROUTES: dict[tuple[str, str], Callable[[Operation, World], Request]] = {
    ("GET", f"{AUTH}/config"): _plain,
    ("POST", f"{AUTH}/auth/login"): _login,
    ("POST", f"{AUTH}/auth/signup"): _signup,
    ("POST", f"{AUTH}/auth/reauthenticate"): _reauthenticate,
    ("POST", f"{AUTH}/auth/password/request"): _ask_for_reset,
    ("GET", f"{AUTH}/auth/password/reset"): _reset,
    ("POST", f"{AUTH}/auth/password/reset"): _reset,
    ("GET", f"{AUTH}/auth/session"): _plain,
    ("DELETE", f"{AUTH}/auth/session"): _plain,
    ("POST", f"{AUTH}/account/password/change"): _change_password,
    ("POST", f"/{API_PREFIX}identity/auth/app/v1/tokens/refresh"): _refresh,
    ("PATCH", f"/{API_PREFIX}identity/me/"): _me,
    ("GET", f"/{API_PREFIX}operations/{{operation_id}}/file/"): _file,
    ("GET", f"{SYSTEM}/plugins/{{key}}/"): _to_plugin,
    ("GET", f"{SYSTEM}/flag-changes/"): _to_flag_change,
    ("GET", f"{SYSTEM}/flag-changes/{{id}}/"): _to_flag_change,
    ("GET", f"{SYSTEM}/settings/{{key}}/"): _to_setting,
    ("PATCH", f"{SYSTEM}/settings/{{key}}/"): _to_setting,
    ("POST", f"{SYSTEM}/settings/{{key}}/reset/"): _to_setting,
    ("GET", f"{SYSTEM}/tasks/{{key}}/"): _to_task,
    ("POST", f"{SYSTEM}/tasks/{{key}}/retry/"): _to_task,
    ("POST", f"{SYSTEM}/tasks/{{key}}/cancel/"): _to_task,
}
"""By method and address: the valid request to what no resource answers."""
