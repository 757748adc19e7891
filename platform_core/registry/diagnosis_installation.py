"""What the doctor sees without a database: distributions, lists, settings, files and disk."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.utils import canonicalize_name

from platform_core.registry.discovery import ENTRY_POINT_GROUP
from platform_core.registry.findings import Finding, from_problem
from platform_core.registry.requirements import installation_problems
from platform_core.registry.situation import Situation

LOW_DISK_BYTES = 1_000_000_000
NO_DISK_BYTES = 200_000_000
OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO
OWN_RULES = frozenset({"postgres"})
"""The cluster's folder: PostgreSQL refuses by itself to start with modes that are too wide."""
HOLD_NO_KEY = frozenset({"logs", "mail", "metrics"})
"""Folders of files that no one signs in with; the folders themselves are closed."""


def installation_findings(
    situation: Situation, environ: Mapping[str, str] = os.environ
) -> Iterator[Finding]:
    """Yield what is wrong with what is installed, listed and configured, and with the data folder."""
    yield from _duplicates()
    for slug in situation.candidates:
        if situation.lists.state_of(slug) == "available":
            yield from map(from_problem, installation_problems(slug, situation.candidates))
    yield from _sections(situation)
    yield from _variables(situation, environ)
    yield from _sunsets(situation, datetime.datetime.now(datetime.UTC).date())
    yield from _files(situation.deployment.data_dir)
    yield from _disk(situation.deployment.data_dir)


def _duplicates() -> Iterator[Finding]:
    places: dict[str, dict[str, str]] = {}
    for distribution in importlib.metadata.distributions():
        if distribution.entry_points.select(group=ENTRY_POINT_GROUP):
            name = str(canonicalize_name(distribution.metadata["Name"]))
            folder = str(distribution.locate_file(""))
            places.setdefault(name, {})[folder] = distribution.version
    for name, found in places.items():
        if len(found) > 1:
            copies = ", ".join(f"{version} in {folder}" for folder, version in found.items())
            yield Finding(
                code="duplicate_distribution",
                severity="error" if len(set(found.values())) > 1 else "warning",
                what=f"{name} is installed {len(found)} times: {copies}.",
                where=name,
                why="The first on the path counts; an upgrade of the other one changes nothing.",
                mend=f"pip uninstall {name}, then install it once",
            )


def _sections(situation: Situation) -> Iterator[Finding]:
    listed = {*situation.lists.plugins, *situation.lists.dormant}
    for slug in sorted(set(situation.deployment.plugin_sections) - listed):
        yield Finding(
            code="unknown_section",
            severity="warning",
            plugin=slug,
            what=f"There are settings for {slug}, which is in neither list.",
            where=f"{situation.deployment.file.name} [plugins.{slug}]",
            why="They have no effect; a misspelt section leaves a plugin at its defaults.",
            mend=f"platformctl plugin enable {slug}, or remove the section",
        )


def _variables(situation: Situation, environ: Mapping[str, str]) -> Iterator[Finding]:
    prefixes = tuple(
        f"PLUGIN_{slug.upper()}_" for slug in (*situation.lists.plugins, *situation.lists.dormant)
    )
    for name in sorted(environ):
        if name.startswith("PLUGIN_") and not name.startswith(prefixes or ("-",)):
            yield Finding(
                code="unknown_variable",
                severity="warning",
                what=f"The variable {name} belongs to no listed plugin.",
                where=f"environment, {name}",
                why="It has no effect; a misspelt variable leaves a plugin at its defaults.",
                mend=f"unset {name}, or correct its name",
            )


def _sunsets(situation: Situation, today: datetime.date) -> Iterator[Finding]:
    for slug, row in situation.contents():
        going = row["facts"].get("deprecated", {}) if row["kind"] == "resources" else {}
        for what, sunset in going.items():
            if not row["remembered"] and sunset and datetime.date.fromisoformat(sunset) <= today:
                yield Finding(
                    code="sunset_passed",
                    severity="warning",
                    plugin=slug,
                    what=f"The {what} of {row['name']} is served after its sunset on {sunset}.",
                    where=row["name"],
                    why="Clients were told that it may be gone; those that still call it learn it only when it is.",
                    mend="see platform_deprecated_calls_total in /metrics, then install a release without it",
                )


def _files(data_dir: Path) -> Iterator[Finding]:
    if not data_dir.is_dir():
        return
    if data_dir.stat().st_mode & OPEN_TO_OTHERS:
        yield Finding(
            code="data_folder_open",
            severity="warning",
            what="Other users of this machine can look into the data folder.",
            where=str(data_dir),
            why="Secrets, logs and mail lie there.",
            mend=f"chmod 700 {data_dir}",
        )
    for file in _private_files(data_dir):
        yield Finding(
            code="secret_file_open",
            severity="error",
            what="Other users of this machine may read or write this file.",
            where=str(file),
            why="Whoever reads a key can sign in as anybody.",
            mend=f"chmod 600 {file}",
        )


def _private_files(folder: Path) -> Iterator[Path]:
    """Yield the files below the data folder that are open to others, the database's own left out."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path.name in OWN_RULES:
            continue
        if path.is_dir():
            if path.name not in HOLD_NO_KEY:
                yield from _private_files(path)
        elif path.stat().st_mode & OPEN_TO_OTHERS and path.suffix != ".lock":
            yield path


def _disk(data_dir: Path) -> Iterator[Finding]:
    folder = next(path for path in (data_dir, *data_dir.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if free < LOW_DISK_BYTES:
        yield Finding(
            code="disk_full",
            severity="error" if free < NO_DISK_BYTES else "warning",
            what=f"Only {free / 1_000_000:,.0f} MB are free.",
            where=str(folder),
            why="A full disk stops the database, logs and backups.",
            mend=f"du -xh --max-depth 2 {folder} | sort -h shows what takes the room",
        )
