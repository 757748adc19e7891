"""The strings of a package that people read, its catalogues of translations, and what is wrong with one."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.extract import extract as extract_from_stream
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.utils.translation.template import templatize

NOT_FOR_PEOPLE = ("testing", "testing.py", "tests", "migrations")
# Django's names for gettext's functions, beside those that Babel knows.
_KEYWORDS = {
    **DEFAULT_KEYWORDS,
    **{
        f"{name}_lazy": DEFAULT_KEYWORDS[name]
        for name in ("gettext", "ngettext", "pgettext", "npgettext")
    },
}
_TEXT = r"""u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_CALL = re.compile(rf"\bn?p?gettext\((?:{_TEXT}|count|[, ])+\)")
"""What stands for a marked string in the form that Django gives templates for extraction."""
_PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[a-z]|\{\w+\}")


def catalogue_path(package: Path, language: str) -> Path:
    """Return where the translations of ``package`` into ``language`` are kept."""
    return package / "locale" / language / "LC_MESSAGES" / "django.po"


def languages_shipped(package: Path) -> list[str]:
    """Return the languages that ``package`` has a folder of translations for."""
    return sorted(one.name for one in (package / "locale").glob("*") if one.is_dir())


def extract(package: Path) -> Catalog:
    """Return a catalogue of every string in ``package`` that is marked for translation."""
    template = Catalog(charset="utf-8")
    for file, _line, message, _comments, context in extract_from_dir(
        package, [("**.py", "python")], keywords=_KEYWORDS
    ):
        if not set(Path(file).parts) & set(NOT_FOR_PEOPLE):
            template.add(message, locations=[(file, 0)], context=context)
    for path in sorted((package / "templates").glob("**/*.*")):
        file = path.relative_to(package).as_posix()
        for message, context in _strings_of_template(path):
            template.add(message, locations=[(file, 0)], context=context)
    return template


def _strings_of_template(path: Path) -> Iterator[tuple[Any, str | None]]:
    """Yield what a Django template marks for translation, with its context."""
    calls = (call[0] for call in _CALL.finditer(templatize(path.read_text(encoding="utf-8"))))
    stream = io.BytesIO("\n".join(calls).encode())
    for _line, message, _comments, context in extract_from_stream(
        "python", stream, keywords=_KEYWORDS
    ):
        yield message, context


def translations_in(catalogue: Catalog) -> dict[Any, Any]:
    """Return the translation of each string, by context and string; plural forms are tuples."""
    return {(one.context, _plain(one.id)): _plain(one.string) for one in catalogue if one.id}


def _plain(text: Any) -> Any:
    return tuple(text) if isinstance(text, list | tuple) else text


def catalogue_faults(package: Path, language: str) -> Iterator[str]:
    """Yield what is wrong with the translations of ``package`` into ``language``, nothing when they are complete.

    The text and its compiled form have to hold exactly the strings of the code, each with a translation that has the
    same placeholders and outer spaces.
    """
    path = catalogue_path(package, language)
    built = path.with_suffix(".mo")
    absent = [one.name for one in (path, built) if not one.is_file()]
    if absent:
        yield f"{language}: there is no {' and no '.join(absent)} in {path.parent}"
        return
    with path.open("rb") as stream:
        kept = read_po(stream, locale=language)
    with built.open("rb") as stream:
        compiled = translations_in(read_mo(stream))
    translations = translations_in(kept)
    in_code = translations_in(extract(package)).keys()
    yield from (
        f"{language}: no entry for {key[1]!r}"
        for key in sorted(in_code - translations.keys(), key=str)
    )
    yield from (
        f"{language}: {key[1]!r} is not in the code" for key in translations.keys() - in_code
    )
    yield from (f"{language}: {one.id!r} is obsolete" for one in kept.obsolete.values())
    for message in kept:
        yield from (f"{language}: {fault}" for fault in _message_faults(message))
    if compiled != translations:
        yield f"{language}: {built.name} is not what {path.name} says; compile it again"


def _message_faults(message: Any) -> Iterator[str]:
    if not message.id:
        return
    originals = message.id if message.pluralizable else (message.id,)
    translated = message.string if message.pluralizable else (message.string,)
    if message.fuzzy or not all(translated):
        yield f"{message.id!r} is not translated"
        return
    allowed = [Counter(_PLACEHOLDER.findall(text)) for text in originals]
    for text in translated:
        if Counter(_PLACEHOLDER.findall(text)) not in allowed:
            yield f"{text!r} has other placeholders than {message.id!r}"
        first = originals[0]
        if (text[:1].isspace(), text[-1:].isspace()) != (first[:1].isspace(), first[-1:].isspace()):
            yield f"{text!r} begins or ends with other spaces than {message.id!r}"
    for error in message.check():
        yield f"{message.id!r}: {error}"
