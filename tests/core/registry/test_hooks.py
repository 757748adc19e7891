"""What each hook's contributions do in a deployment, seen from outside; one test for each hook."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.test import Client
from waffle import get_waffle_flag_model

from platform_core.access import Actor, decide, installed_permissions
from platform_core.cli.app import add_contributed, build_app
from platform_core.contributions import FirstRunContext
from platform_core.events.delivering import dispatch_once
from platform_core.mail import send_mail
from platform_core.models import EventRecord
from platform_core.registry import installed
from platform_core.registry.command_names import CORE_COMMANDS
from platform_core.registry.synchronisation import synchronise
from platform_core.tasks.backend import engine
from platform_core.tasks.scheduling import Clock
from platform_core.testing.jobs import run_waiting_jobs
from platform_identity.mails import AccountReactivated
from platform_identity.tasks import purge_sessions
from platform_identity.testing import make_user, sign_in_token
from tests.core.events.ground import Subscribing

TESTED = {
    "resources",
    "routes",
    "permissions",
    "roles",
    "flags",
    "importers",
    "commands",
    "health_probes",
    "tasks",
    "schedules",
    "events",
    "subscriptions",
    "mails",
    "first_run",
    "grant_source",
}
pytestmark = pytest.mark.django_db


def get(path: str, token: str = "") -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return Client().get(path, headers=headers)


def test_hook_resources() -> None:
    assert get("/api/v1/education/students/").status_code == 401
    assert get("/api/v1/education/pupils/").status_code == 404


def test_hook_routes() -> None:
    token = sign_in_token(make_user())

    assert get("/api/v1/identity/me/").status_code == 401
    assert get("/api/v1/identity/me/", token).status_code == 200


def test_hook_permissions() -> None:
    user = Actor(make_user().pk, "user")

    assert installed_permissions().get("education.view_student") is not None
    assert decide(user, "education.not_contributed").code == "unknown_permission"


def test_hook_roles() -> None:
    from platform_identity.models import Role

    declared = set(Role.objects.get(name="education.viewer").permissions)
    Role.objects.filter(name="education.viewer").update(permissions=[])

    synchronise()

    assert "education.view_student" in declared
    assert set(Role.objects.get(name="education.viewer").permissions) == declared


def test_hook_flags() -> None:
    flags = get_waffle_flag_model().objects
    declared = {flag.name for flag in installed().contributions("flags")}
    switched = sorted(declared)[0]
    flags.filter(name=switched).update(everyone=True)

    synchronise()

    assert declared <= set(flags.values_list("name", flat=True))
    assert flags.get(name=switched).everyone is True


def test_hook_importers(tmp_path: Path) -> None:
    (importer,) = installed().contributions("importers")

    report = importer.run(tmp_path, dry_run=True, progress=lambda step, done, total: None)

    assert importer.name == "education"
    assert report.problems


def test_hook_commands() -> None:
    app = build_app()

    add_contributed(app)

    groups = {group.name: group.typer_instance for group in app.registered_groups}
    assert "create" in {command.name for command in groups["user"].registered_commands}


def test_every_command_of_the_core_is_reserved() -> None:
    app = build_app()

    names = {command.name for command in app.registered_commands}
    assert names | {group.name for group in app.registered_groups} == CORE_COMMANDS


def test_hook_health_probes() -> None:
    checks = {check["name"]: check["plugin"] for check in get("/readyz").json()["checks"]}

    assert checks["identity.signing_keys"] == "identity"


def test_hook_tasks() -> None:
    result = purge_sessions.enqueue()

    assert run_waiting_jobs() == 1
    result.refresh()
    assert result.return_value == 0
    assert engine().find(result.id).queue == "identity"  # type: ignore[union-attr]


def test_hook_schedules() -> None:
    clock = Clock()
    night = datetime(2026, 11, 25, 2, 40, tzinfo=UTC)
    clock.look(night)  # what is new makes up for nothing

    assert clock.look(night + timedelta(days=1)) >= 1
    names = [job.task for job in engine().listed(queue="identity", status="waiting", limit=9)]
    assert names == ["identity.purge_sessions"]


def test_hook_events() -> None:
    user = make_user()

    told = EventRecord.objects.get(name="identity.user.created", aggregate__endswith=str(user.pk))

    assert (told.plugin, told.payload) == ("identity", {"user": str(user.pk)})


def test_hook_subscriptions() -> None:
    heard: list[Any] = []
    subscribe = Subscribing()
    subscribe("listen", heard.append, "identity.user.created")
    try:
        user = make_user()
        assert dispatch_once(["education"]) == 0
        assert dispatch_once(["identity"]) == 1
    finally:
        subscribe.forget()

    assert [one.event.user for one in heard] == [user.pk]


def test_hook_mails() -> None:
    send_mail(AccountReactivated.example(), to="person@example.org", language="de")

    assert run_waiting_jobs() == 1
    assert [one.subject for one in mail.outbox] == ["Ihr Konto ist wieder aktiv"]


def test_hook_first_run() -> None:
    steps = installed().of_plugin("identity", "first_run")
    context = FirstRunContext(demo=False, data_dir=settings.PLATFORM_DATA_DIR)

    lines = [line for step in steps for line in step.run(context)]
    again = [line for step in steps for line in step.run(context)]

    assert any("assword" in line for line in lines)
    assert lines != again


def test_hook_grant_source() -> None:
    (source,) = installed().contributions("grant_source")

    assert source.unit_model == "identity.OrgUnit"
    assert not source.grants(Actor(make_user().pk, "user")).holds("education.view_student")
