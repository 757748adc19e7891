"""Bring the catalogues of a package's translations up to date with its code, and compile them."""

from __future__ import annotations

import datetime
import io
import json
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from platform_core.testing.catalogues import catalogue_path, extract

STARTED = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
"""One day for all, so that the same translations are the same file."""


def read(package: Path, language: str) -> Catalog:
    """Return the kept translations, an empty catalogue when there are none."""
    path = catalogue_path(package, language)
    if path.exists():
        with path.open("rb") as stream:
            return read_po(stream, locale=language)
    return Catalog(
        locale=language,
        project=package.name,
        version="1",
        copyright_holder=package.name,
        msgid_bugs_address="",
        header_comment=f"# What people read from {package.name}.",
        creation_date=STARTED,
        revision_date=STARTED,
        last_translator=package.name,
        language_team=language,
        fuzzy=False,
    )


def bring_up_to_date(package: Path, language: str) -> list[str]:
    """Write both files of ``language``, and return the strings that have no translation yet.

    What is translated stays, what the code does not have any more goes, what is new is empty.
    """
    catalogue = updated(package, language)
    path = catalogue_path(package, language)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(source_of(catalogue))
    path.with_suffix(".mo").write_bytes(compiled(catalogue))
    return [str(one.id) for one in catalogue if one.id and (not one.string or one.fuzzy)]


def updated(package: Path, language: str) -> Catalog:
    """Return the kept translations with exactly the strings of the code; new ones are empty."""
    catalogue = read(package, language)
    catalogue.update(extract(package), no_fuzzy_matching=True, update_creation_date=False)
    return catalogue


def source_of(catalogue: Catalog) -> bytes:
    """Return the text of ``catalogue``, always the same for the same translations."""
    stream = io.BytesIO()
    write_po(
        stream, catalogue, width=100, sort_output=True, ignore_obsolete=True, include_lineno=False
    )
    return stream.getvalue()


def compiled(catalogue: Catalog) -> bytes:
    """Return ``catalogue`` as Django reads it."""
    stream = io.BytesIO()
    write_mo(stream, catalogue)
    return stream.getvalue()


def main() -> int:
    """Bring the languages up to date that follow the package's folder; print in JSON what each lacks."""
    folder, *languages = sys.argv[1:]
    found = {one: bring_up_to_date(Path(folder), one) for one in languages}
    sys.stdout.write(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
