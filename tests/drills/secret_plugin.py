"""A plugin that fails in every way there is, each time with somebody's secret in its hands, and one that tells them on purpose."""

from __future__ import annotations

from pathlib import Path

from tests.deployments import write_distribution

MODELS = """\
from django.db import models


class Row(models.Model):
    code = models.CharField(max_length=200, unique=True)
    email = models.CharField(max_length=200, blank=True)
    birth_date = models.DateField(null=True)

    class Meta:
        verbose_name_plural = "rows"
"""
MIGRATION = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            name="Row",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("code", models.CharField(max_length=200, unique=True)),
                ("email", models.CharField(blank=True, max_length=200)),
                ("birth_date", models.DateField(null=True)),
            ],
            options={"verbose_name_plural": "rows"},
        ),
    ]
"""
SETTINGS = """\
from pydantic import SecretStr

from platform_core.conf import PluginSettings


class MarksSettings(PluginSettings):
    api_secret: SecretStr = SecretStr("")
    file_secret: SecretStr = SecretStr("")
    webhook_url: str = ""
"""
FAILURES = '''\
import json
import os
import threading

import structlog
from django.db import IntegrityError, connection, transaction
from pydantic import BaseModel

from marks_plugin.models import Row
from marks_plugin.settings import MarksSettings
from platform_core.conf import settings_of


class Strict(BaseModel):
    number: int


def text(sent):
    raise RuntimeError(f"cannot work with {sent['value']} and {sent}")


def local_variable(sent):
    password = sent["value"]
    raise RuntimeError("wrong password") if password else None


def key(sent):
    return {}[sent["value"]]


def number(sent):
    return int(sent["value"])


def chained(sent):
    try:
        number(sent)
    except ValueError as error:
        raise LookupError("cannot be found") from error


def context(sent):
    try:
        key(sent)
    except KeyError:
        raise RuntimeError("another one")


def group(sent):
    raise ExceptionGroup("several", [ValueError(sent["value"]), KeyError(sent["value"])])


def note(sent):
    error = RuntimeError("noted")
    error.add_note(f"with {sent['value']}")
    raise error


def unique(sent):
    """Raise what quotes a row: of the table's own rows, none of which was sent."""
    row = Row.objects.order_by("pk").first()
    try:
        with transaction.atomic():
            Row.objects.create(code=row.code, email=row.email, birth_date=row.birth_date)
    except IntegrityError as error:
        raise RuntimeError("it cannot be saved") from error


def data(sent):
    with connection.cursor() as cursor:
        cursor.execute("SELECT code::uuid FROM marks_row WHERE id = (SELECT min(id) FROM marks_row)")


def statement(sent):
    with connection.cursor() as cursor:
        cursor.execute("SELECT no_such_function(%s)", [sent["value"]])


def data_chained(sent):
    try:
        data(sent)
    except Exception as error:
        raise RuntimeError("it cannot be read") from error


def typed(sent):
    Strict(number=sent["value"])


def row(sent):
    found = Row.objects.order_by("pk").first()
    raise RuntimeError(f"row {found.code} of {found.email}, {found.birth_date!r}, is wrong")


def setting(sent):
    own = settings_of(MarksSettings)
    raise RuntimeError(f"{own.api_secret.get_secret_value()} {own.file_secret.get_secret_value()} {own.webhook_url}")


def environment(sent):
    raise RuntimeError(f"refused: {os.environ['THIRD_PARTY_TOKEN']} {os.environ['DATABASE_URL']}")


def django_settings(sent):
    from django.conf import settings

    raise RuntimeError(f"{settings.SECRET_KEY} {settings.DATABASES} {settings.PLATFORM_REDIS_URL}")


def headers(sent):
    raise RuntimeError(f"{sent.get('headers')}")


def logged(sent):
    log = structlog.get_logger("marks")
    log.error("called", password=sent["value"], authorization=sent["value"], told={"api_key": sent["value"]})
    local_variable(sent)


def thread(sent):
    started = threading.Thread(target=setting, args=(sent,))
    started.start()
    started.join()
    local_variable(sent)


WAYS = {
    one.__name__: one
    for one in (
        text, local_variable, key, number, chained, context, group, note, unique, data, data_chained, typed, row, setting,
        environment, django_settings, headers, logged, thread, statement,
    )
}
'''
VIEWS = """\
import json

from django.db import transaction
from django.http import HttpResponse

from marks_plugin import plants, tasks
from marks_plugin.events import ThingHappened
from marks_plugin.failures import WAYS
from marks_plugin.models import Row
from platform_core.events import emit


def _sent(request):
    return json.loads(request.body)


def begin(request):
    Row.objects.create(**_sent(request))
    return HttpResponse(json.dumps(sorted(WAYS)))


def fail(request, how):
    WAYS[how]({**_sent(request), "headers": dict(request.headers)})
    return HttpResponse()


def enqueue(request, how):
    job = tasks.fail.enqueue(how, sent=_sent(request))
    return HttpResponse(json.dumps(job.id))


def happen(request):
    with transaction.atomic():
        emit(ThingHappened(thing=1, text=_sent(request)["value"]))
    return HttpResponse()


def plant(request, where):
    return plants.WAYS[where](_sent(request)["value"])
"""
TASKS = """\
from marks_plugin import plants
from marks_plugin.failures import WAYS
from platform_core.tasks import task


@task
def fail(how, sent):
    WAYS[how](sent)


@task
def tick():
    WAYS["setting"]({})


@task
def plant(value):
    raise type(value, (Exception,), {})
"""
EVENTS = """\
from typing import ClassVar

from platform_core.events import Event


class ThingHappened(Event):
    \"\"\"Something has happened.\"\"\"

    name: ClassVar[str] = "marks.thing.happened"
    aggregate: ClassVar[str] = "thing"
    thing: int
    text: str


def hear(received):
    raise RuntimeError(f"cannot hear {received.event.text} of {received.event!r}")
"""
PLANTS = """\
import logging
import sys

import prometheus_client
from django.core import mail
from django.db import connection
from django.http import HttpResponse
from platform_core.audit import Event, record
from django.conf import settings


def log(value):
    logging.getLogger("marks").error("the body is %s", value)
    return HttpResponse()


def stdout(value):
    print(value, flush=True)
    return HttpResponse()


def stderr(value):
    print(value, file=sys.stderr, flush=True)
    return HttpResponse()


def audit(value):
    record(Event(action="planted", plugin="marks", details={"told": value}))
    return HttpResponse()


def mails(value):
    mail.send_mail("Planted", value, None, ["somebody@example.org"])
    return HttpResponse()


def metrics(value):
    prometheus_client.Counter("marks_planted", "Planted.", ["value"]).labels(value).inc()
    return HttpResponse()


def answers(value):
    return HttpResponse(value, status=500, content_type="application/problem+json")


def server(value):
    with connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE LOG '{value}'; END $$")
    return HttpResponse()


def files(value):
    folder = settings.PLATFORM_DATA_DIR / "logs"
    (folder / "traceback.txt").write_text(value)
    return HttpResponse()


def jobs(value):
    from marks_plugin.tasks import plant

    plant.enqueue(value)
    return HttpResponse()


WAYS = {
    one.__name__: one for one in (log, stdout, stderr, audit, mails, metrics, answers, server, files, jobs)
}
"""
HOOKS = """\
import os

from marks_plugin import tasks as own
from marks_plugin import views
from marks_plugin.events import ThingHappened, hear
from marks_plugin.failures import WAYS
from platform_core.contributions import Command, HealthProbe, HealthResult, Route, Schedule, Subscription
from platform_core.hookspecs import hookimpl


if os.environ.get("QUOTES_EVERYTHING"):  # the fault that the drill plants: exceptions are told as Python tells them
    from platform_core.observability import exceptions

    exceptions._message = str


def _fail(how: str) -> None:
    WAYS[how]({"value": ""})


def _say(value: str) -> None:
    print(value)


def _probe():
    WAYS["setting"]({})


def _chatty():
    return HealthResult(healthy=False, detail=f"refused: {os.environ.get('THIRD_PARTY_TOKEN')}")


@hookimpl
def routes():
    views_by_path = {
        "begin/": views.begin, "fail/<str:how>/": views.fail, "enqueue/<str:how>/": views.enqueue,
        "happen/": views.happen, "plant/<str:where>/": views.plant,
    }
    return [
        Route(path=path, name=path.partition("/")[0], access="public", view=view)
        for path, view in views_by_path.items()
    ]


@hookimpl
def tasks():
    return [own.fail, own.tick, own.plant]


@hookimpl
def schedules():
    return [Schedule(name="marks.tick", title="Tick", task=own.tick, cron="* * * * *")]


@hookimpl
def events():
    return [ThingHappened]


@hookimpl
def subscriptions():
    return [Subscription(name="marks.hear", event="marks.thing.happened", run=hear)]


@hookimpl
def health_probes():
    return [
        HealthProbe(name="marks.raises", check=_probe, critical=False),
        HealthProbe(name="marks.tells", check=_chatty, critical=False),
    ]


@hookimpl
def commands():
    return [Command(name="marks fail", run=_fail, help="Fail."), Command(name="marks say", run=_say, help="Say.")]
"""


def write_marks(folder: Path) -> Path:
    """Write the plugin ``marks``."""
    return write_distribution(
        folder,
        "marks",
        apps_extra="settings_class = __import__('marks_plugin.settings').settings.MarksSettings",
        files={
            "models.py": MODELS,
            "settings.py": SETTINGS,
            "failures.py": FAILURES,
            "views.py": VIEWS,
            "tasks.py": TASKS,
            "events.py": EVENTS,
            "plants.py": PLANTS,
            "hooks.py": HOOKS,
            "migrations/__init__.py": "",
            "migrations/0001_initial.py": MIGRATION,
        },
    )
