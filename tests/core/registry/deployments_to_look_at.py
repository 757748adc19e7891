"""A deployment with a stranger's enabled plugin, one that sleeps, and one that is only installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.deployments import TestDeployment, new_deployment, write_distribution

HOOKS = """\
import datetime

from platform_core.access import Granted
from platform_core.contributions import (
    PUBLIC, Command, Flag, Importer, Permission, Role, Route,
)
from platform_core.hookspecs import hookimpl


def answer(request):
    raise RuntimeError("the bell has no clapper")


@hookimpl
def permissions():
    return [Permission(name="{slug}.ring_bell", title="Ring", rule=Granted("{slug}.ring_bell"))]


@hookimpl
def roles():
    return [Role(name="{slug}.ringer", title="Ringer", permissions=("{slug}.ring_bell",))]


@hookimpl
def flags():
    day = datetime.date({year}, 1, 1)
    return [Flag(name="{slug}.loud", title="Loud", owner="bells@example.org", expires_on=day)]


@hookimpl
def routes():
    return [
        Route(path="ring/<int:times>/", name="ring", access="{slug}.ring_bell", view=answer),
        Route(path="loud/", name="loud", access=PUBLIC, view=answer, flag="{slug}.loud"),
        Route(path="crack/", name="crack", access=PUBLIC, view=answer),
    ]


@hookimpl
def commands():
    return [Command(name="{slug} toll", run=print, help="Toll.")]


@hookimpl
def importers():
    return [Importer(name="{slug}", title="Bells", run=print, permission="{slug}.ring_bell")]
"""

MODELS = """\
from django.db import models


class Bell(models.Model):
    tone = models.CharField(max_length=9)
"""

MIGRATION = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            "Bell",
            [("id", models.BigAutoField(primary_key=True)), ("tone", models.CharField(max_length=9))],
        ),
    ]
"""

SETTINGS = """\
from platform_core.conf import PluginSettings


class Values(PluginSettings):
    hammer: str = "wood"
"""


def write_bells(folder: Path, slug: str, *, year: int = 2040) -> None:
    """Write a plugin with a table and something of every kind."""
    write_distribution(
        folder,
        slug,
        apps_extra=f"settings_class = __import__('{slug}_plugin.settings').settings.Values",
        files={
            "hooks.py": HOOKS.format(slug=slug, year=year),
            "models.py": MODELS,
            "settings.py": SETTINGS,
            "migrations/__init__.py": "",
            "migrations/0001_initial.py": MIGRATION,
        },
    )


@contextmanager
def tower(folder: Path, *, year: int = 2040) -> Iterator[TestDeployment]:
    """Yield a deployment with ``bells`` enabled, ``chimes`` dormant with two rows, and ``gongs`` only installed."""
    for slug in ("bells", "chimes", "gongs"):
        write_bells(folder / "wheels", slug, year=year)
    with new_deployment(folder / "deployment", plugins=["identity", "bells", "chimes"]) as made:
        made.path.append(folder / "wheels")
        assert made.call("migrate").code == 0
        made.write(plugins=["identity", "bells"], dormant=["chimes"])
        assert made.call("migrate").code == 0
        with psycopg.connect(made.database_url) as connection:
            connection.execute("INSERT INTO chimes_bell (tone) VALUES ('a'), ('c')")
        yield made
