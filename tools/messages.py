"""Extract what people read from the code, update its French and German catalogues and compile them."""

from __future__ import annotations

import datetime
import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from platform_core.testing.catalogues import catalogue_path, extract

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    ROOT / "platform_core",
    ROOT / "plugins" / "identity" / "platform_identity",
    ROOT / "plugins" / "education" / "platform_education",
)
LANGUAGES = ("de", "fr")
STARTED = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


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
        copyright_holder="Platform Core maintainers",
        msgid_bugs_address="",
        header_comment=f"# What people read from {package.name}.",
        creation_date=STARTED,
        revision_date=STARTED,
        last_translator="Platform Core maintainers",
        language_team=language,
        fuzzy=False,
    )


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
    """Bring every catalogue up to date; the answer counts the strings without a translation."""
    missing = 0
    for package in PACKAGES:
        for language in LANGUAGES:
            catalogue = updated(package, language)
            path = catalogue_path(package, language)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source_of(catalogue))
            path.with_suffix(".mo").write_bytes(compiled(catalogue))
            for message in catalogue:
                if message.id and (not message.string or message.fuzzy):
                    missing += 1
                    sys.stdout.write(f"{path.relative_to(ROOT)}: {message.id!r}\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
