"""``platformctl plugin makemigrations`` and ``plugin messages``: what follows from a plugin's code is written into its folder."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from platform_core.cli.output import AsJson, console, fail, print_json, refuse
from platform_core.plugin import PluginConfig
from platform_core.registry.discovery import discover
from platform_core.registry.problems import PluginErrors
from platform_core.registry.resolution import resolve
from platform_core.testing.plugin_run import Subject, environment, find_subject, set_of

T = TypeVar("T")
Work = Callable[[Subject, list[str], Path], T]
Folder = Annotated[
    Path, typer.Argument(metavar="PATH", help="The project's folder; else the present one.")
]
NO_DATABASE = "postgresql:///none"
"""Nothing is asked there: what a migration has to do follows from the models and the migrations before it."""


def makemigrations(
    folder: Folder = Path(),
    name: Annotated[str, typer.Option("--name", help="What the migration is called.")] = "",
    as_json: AsJson = False,
) -> None:
    """Write the migration that the models of a plugin's project need; needs no deployment and no database."""

    def write(subject: Subject, slugs: list[str], scratch: Path) -> list[str]:
        migrations = package_of(subject) / "migrations"
        before = set(migrations.glob("*.py"))
        words = ["makemigrations", subject.slug, *(("--name", name) if name else ())]
        done = subprocess.run(  # noqa: S603  (our own command)
            # Django warns that it cannot ask a database whether the migrations before were applied in their order.
            # From Django 6 on its checks of generated columns ask for the server's version.
            [
                sys.executable,
                "-W",
                "ignore::RuntimeWarning",
                "-m",
                "django",
                *words,
                "--skip-checks",
            ]
            + (["--no-input"] if as_json else []),
            env=environment(subject, slugs, scratch) | {"DATABASE_URL": NO_DATABASE},
            # Its questions, such as for the value that old rows get, are asked and answered in the terminal.
            stdout=subprocess.DEVNULL if as_json else None,
            stderr=subprocess.PIPE if as_json else None,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            refuse(
                done.stderr.strip().splitlines()[-1]
                if done.stderr
                else "No migration was written.",
                "Correct what is named above; without --json the command asks what it cannot know.",
                code="migration_not_written",
                as_json=as_json,
            )
        return sorted(str(one) for one in set(migrations.glob("*.py")) - before)

    written = _with_plugin(folder, write, as_json=as_json)
    if as_json:
        print_json({"ok": True, "written": written})


def messages(folder: Folder = Path(), as_json: AsJson = False) -> None:
    """Collect what a plugin's code marks for translation, for each of its languages, and compile what is translated."""
    if importlib.util.find_spec("babel") is None:
        refuse(
            "Catalogues need babel, which is not installed here.",
            'Install it: pip install "platform-core[testing]".',
            code="testing_not_installed",
            as_json=as_json,
        )

    def collect(subject: Subject, slugs: list[str], scratch: Path) -> dict[str, list[str]]:
        languages = config_of(subject).languages
        if not languages:
            refuse(
                "The plugin declares no languages.",
                'Name them in its PluginConfig: languages = ("de", "fr").',
                code="no_languages",
                as_json=as_json,
            )
        done = subprocess.run(  # noqa: S603  (our own module)
            [
                sys.executable,
                "-m",
                "platform_core.testing.catalogue_files",
                str(package_of(subject)),
                *languages,
            ],
            env=environment(subject, slugs, scratch),
            capture_output=True,
            text=True,
            check=True,
        )
        found: dict[str, list[str]] = json.loads(done.stdout)
        return found

    missing = _with_plugin(folder, collect, as_json=as_json)
    if as_json:
        print_json({"ok": not any(missing.values()), "missing": missing})
    else:
        for language, texts in missing.items():
            console.print(f"{language}: {len(texts)} to translate", highlight=False)
            for text in texts:
                console.print(f"  {text}", highlight=False, markup=False)
    if any(missing.values()):
        raise typer.Exit(1)


def _with_plugin(folder: Path, work: Work[T], *, as_json: bool) -> T:
    """Return what ``work`` makes of the plugin in ``folder``, its set of plugins and a scratch folder."""
    with tempfile.TemporaryDirectory(prefix="platform-write-") as made:
        scratch = Path(made).resolve()
        try:
            subject = find_subject(str(folder), scratch)
            slugs = set_of(subject)
        except PluginErrors as errors:
            fail(errors.problems, as_json=as_json)
        return work(subject, slugs, scratch)


def config_of(subject: Subject) -> type[PluginConfig]:
    """Return the configuration class of a plugin that ``find_subject`` found."""
    candidates = discover()
    (plugin,) = resolve([subject.slug], (), {subject.slug: candidates[subject.slug]}).plugins
    return plugin.config


def package_of(subject: Subject) -> Path:
    """Return the folder of the plugin's package."""
    name = config_of(subject).name
    found = importlib.util.find_spec(name)
    assert found is not None  # it was just imported
    return Path(next(iter(found.submodule_search_locations or ())))
