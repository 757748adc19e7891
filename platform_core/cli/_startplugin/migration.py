"""Write a new plugin's first migration with Django's own machinery, in a process of its own.

No deployment and no database is needed: only the core's models and the new plugin's are loaded.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from django.apps import AppConfig

from platform_core.cli._startplugin.names import config_name

NAME = "0001_initial"
_CALL = f"import sys; from {__name__} import write; sys.stdout.write(write(*sys.argv[1:]))"


class CoreModels(AppConfig):
    """The core's models without its boot."""

    name = "platform_core"
    label = "platform_core"
    default_auto_field = "django.db.models.BigAutoField"


def initial_migration(folder: Path, package: str, slug: str) -> str:
    """Return the text of the first migration of ``package`` in ``folder``.

    Raises RuntimeError with what the process said when the models cannot be loaded.
    """
    done = subprocess.run(  # noqa: S603  (our own module; the names are checked)
        [sys.executable, "-c", _CALL, str(folder), package, slug],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


def write(folder: str, package: str, slug: str) -> str:
    """Return the text of the first migration; sets Django up, so once a process."""
    import django
    from django.apps import apps
    from django.conf import settings
    from django.db.migrations.autodetector import MigrationAutodetector
    from django.db.migrations.graph import MigrationGraph
    from django.db.migrations.state import ProjectState
    from django.db.migrations.writer import MigrationWriter

    sys.path.insert(0, folder)
    settings.configure(
        INSTALLED_APPS=[
            f"{__name__}.CoreModels",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "simple_history",
            "waffle",
            f"{package}.apps.{config_name(slug)}",
        ],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()
    changes = MigrationAutodetector(ProjectState(), ProjectState.from_apps(apps)).changes(
        graph=MigrationGraph(), trim_to_apps={slug}, migration_name="initial"
    )
    return MigrationWriter(changes[slug][0], include_header=False).as_string()
