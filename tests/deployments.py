"""Deployments and plugin distributions that tests make: real metadata on a real path, run by a real platformctl."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

ROOT = Path(__file__).resolve().parents[1]

APPS = """\
from platform_core.plugin import PluginConfig


class Config(PluginConfig):
    name = "{package}"
    slug = "{slug}"
    title = "{slug}"
{extra}
"""


def write_distribution(
    folder: Path,
    slug: str,
    *,
    distribution: str | None = None,
    version: str = "1.0",
    requires: Sequence[str] = (),
    apps_extra: str = "",
    apps: str | None = None,
    files: Mapping[str, str] | None = None,
) -> Path:
    """Write an installed-looking distribution below ``folder`` and return ``folder``, to be put on the path."""
    package = f"{slug}_plugin"
    name = distribution or f"{slug}-plugin"
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Summary: A test."]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    (info / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(
        f"[platform_core.plugins]\n{slug} = {package}.apps:Config\n", encoding="utf-8"
    )
    home = folder / package
    home.mkdir(exist_ok=True)
    extra = "\n".join(f"    {line}" for line in apps_extra.splitlines())
    contents = {
        "__init__.py": "",
        "apps.py": apps or APPS.format(package=package, slug=slug, extra=extra),
        **(files or {}),
    }
    for file, text in contents.items():
        path = home / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@dataclass
class Answer:
    """What a ``platformctl`` call did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON document on standard output."""
        return json.loads(self.out)

    @property
    def problems(self) -> list[dict[str, str]]:
        """The problems of a ``--json`` answer."""
        found: list[dict[str, str]] = self.document["problems"]
        return found


@dataclass
class TestDeployment:
    """A deployment in a folder of its own, on a database of its own."""

    __test__ = False

    folder: Path
    database_url: str
    path: list[Path] = field(default_factory=list)

    def write(
        self,
        plugins: Sequence[str] = ("identity",),
        dormant: Sequence[str] = (),
        sections: str = "",
    ) -> None:
        """Write platform.toml and the settings module anew."""
        quoted = [", ".join(f'"{name}"' for name in names) for names in (plugins, dormant)]
        (self.folder / "platform.toml").write_text(
            f'[platform]\nsettings = "settings"\nplugins = [{quoted[0]}]\n'
            f'dormant_plugins = [{quoted[1]}]\ndata_dir = "var"\n{sections}',
            encoding="utf-8",
        )
        (self.folder / "settings.py").write_text(
            "from pathlib import Path\n\nfrom platform_core.conf import build_settings\n\n"
            'globals().update(build_settings(Path(__file__).resolve().parent, profile="dev"))\n',
            encoding="utf-8",
        )

    def environment(self, **variables: str) -> dict[str, str]:
        """Return the environment of a call: nothing of the test run's own deployment."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PLATFORM_", "PLUGIN_", "DJANGO_", "DATABASE_", "PYTEST_"))
            and name != "PYTHONDONTWRITEBYTECODE"  # each call would compile everything again
        }
        paths = [str(self.folder), *map(str, self.path)]
        return {
            **kept,
            "DATABASE_URL": self.database_url,
            "PYTHONPATH": os.pathsep.join(paths),
            "COLUMNS": "200",
            **variables,
        }

    def call(
        self, *words: str, stdin: str | None = None, timeout_s: float = 120, **variables: str
    ) -> Answer:
        """Run ``platformctl`` in the deployment's folder."""
        done = subprocess.run(
            [sys.executable, "-m", "platform_core.cli", *words],
            cwd=self.folder,
            env=self.environment(**variables),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def run_python(self, code: str) -> Answer:
        """Run Python code with the deployment's settings."""
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=self.folder,
            env=self.environment(DJANGO_SETTINGS_MODULE="settings"),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)


@contextmanager
def new_database() -> Iterator[str]:
    """Yield the address of an empty database on the run's server, dropped afterwards."""
    base = os.environ["DATABASE_URL"]
    name = f"deployment_{uuid.uuid4().hex[:16]}"
    with psycopg.connect(base, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    parts = urlsplit(base)
    try:
        yield urlunsplit(parts._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(base, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


@contextmanager
def new_deployment(folder: Path, **lists: Any) -> Iterator[TestDeployment]:
    """Yield a deployment in ``folder`` with an empty database; keyword arguments as for ``write``."""
    folder.mkdir(parents=True, exist_ok=True)
    with new_database() as url:
        deployment = TestDeployment(folder=folder, database_url=url)
        deployment.write(**lists)
        yield deployment
