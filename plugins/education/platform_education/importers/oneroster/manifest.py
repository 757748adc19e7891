"""The manifest of a set: which version it is, and which files have to be there."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _

from platform_education.importers.oneroster.problems import Problems
from platform_education.importers.oneroster.reading import Table
from platform_education.importers.oneroster.source import Source
from platform_education.importers.oneroster.tables import ROW_CLASSES

MANIFEST = "manifest.csv"
VERSION = "1.1"
ABSENT = "absent"
MODES = (ABSENT, "bulk", "delta")


def files_to_read(source: Source, problems: Problems) -> frozenset[str]:
    """Return the names of the files that the manifest announces and the set holds.

    Notes a missing or broken manifest, another version, and files that are announced and missing or the reverse.
    """
    names = source.names()
    if MANIFEST not in names:
        problems.add(MANIFEST, 0, "", _("The file is missing; every set has a manifest."))
        return frozenset()
    properties = _properties(source, problems)
    if properties is None:
        return frozenset()
    version = properties.get("oneroster.version", "")
    if version != VERSION:
        message = _("The set is of version “%(version)s”; only %(known)s can be imported.")
        problems.add(
            MANIFEST, 0, "oneroster.version", message % {"version": version[:50], "known": VERSION}
        )
        return frozenset()
    return frozenset(
        row_class.FILE
        for row_class in ROW_CLASSES
        if _is_announced(row_class.FILE, properties, names, problems)
    )


def _properties(source: Source, problems: Problems) -> Mapping[str, str] | None:
    with source.open(MANIFEST) as stream:
        table = Table(MANIFEST, stream, problems)
        if table.header[:2] != ["propertyName", "value"]:
            problems.add(MANIFEST, 0, "", _("The header has to be propertyName,value."))
            return None
        return {cells[0].strip(): cells[1].strip() for _number, cells in table}


def _is_announced(
    file: str, properties: Mapping[str, str], names: frozenset[str], problems: Problems
) -> bool:
    key = f"file.{file.removesuffix('.csv')}"
    mode = properties.get(key, ABSENT).lower()
    if mode not in MODES:
        message = _("“%(mode)s” is not one of: %(known)s.")
        problems.add(MANIFEST, 0, key, message % {"mode": mode[:50], "known": ", ".join(MODES)})
        return False
    if mode == ABSENT and file in names:
        problems.add(file, 0, "", _("The manifest does not announce this file (%s).") % key)
        return False
    if mode != ABSENT and file not in names:
        problems.add(file, 0, "", _("The manifest announces this file, but it is missing."))
        return False
    return mode != ABSENT
