"""Each way in which a catalogue of translations can be wrong is caught, in a package that is otherwise complete."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from platform_core.registry import installed
from platform_core.testing.catalogues import catalogue_faults, catalogue_path
from platform_core.testing.contract import promises
from platform_core.testing.contract.subjects import PluginSubject

SOURCE = """\
from django.utils.translation import gettext_lazy as _, ngettext

HELLO = _("Hello %(name)s")
SEATS = ngettext("%(count)d seat", "%(count)d seats", 2)
"""
HEADER = (
    'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
    '"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'
)
HELLO = 'msgid "Hello %(name)s"\nmsgstr "Hallo %(name)s"\n\n'
SEATS = (
    'msgid "%(count)d seat"\nmsgid_plural "%(count)d seats"\n'
    'msgstr[0] "%(count)d Platz"\nmsgstr[1] "%(count)d Plätze"\n\n'
)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "hello.py").write_text(SOURCE, encoding="utf-8")
    return tmp_path


def write(package: Path, text: str, compiled: str | None = None) -> None:
    """Write the German catalogue, and its compiled form from ``compiled`` or else from the same text."""
    path = catalogue_path(package, "de")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + (text if compiled is None else compiled), encoding="utf-8")
    with path.open("rb") as source, path.with_suffix(".mo").open("wb") as built:
        write_mo(built, read_po(source, locale="de"))
    path.write_text(HEADER + text, encoding="utf-8")


def test_a_complete_catalogue_has_no_fault(package: Path) -> None:
    write(package, HELLO + SEATS)

    assert list(catalogue_faults(package, "de")) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HELLO, "no entry for ('%(count)d seat', '%(count)d seats')"),
        (HELLO + SEATS + 'msgid "Bye"\nmsgstr "Tschüss"\n', "'Bye' is not in the code"),
        (HELLO + SEATS + '#~ msgid "Bye"\n#~ msgstr "Tschüss"\n', "'Bye' is obsolete"),
        (HELLO.replace("Hallo %(name)s", "") + SEATS, "'Hello %(name)s' is not translated"),
        ("#, fuzzy\n" + HELLO + SEATS, "'Hello %(name)s' is not translated"),
        (HELLO.replace("Hallo %(name)s", "Hallo") + SEATS, "'Hallo' has other placeholders than"),
        (HELLO.replace("Hallo", " Hallo") + SEATS, "begins or ends with other spaces than"),
        (HELLO + SEATS.replace("%(count)d Plätze", "Plätze"), "'Plätze' has other placeholders"),
    ],
)
def test_a_fault_of_a_catalogue_is_caught(package: Path, text: str, told: str) -> None:
    write(package, text)

    assert told in "\n".join(catalogue_faults(package, "de"))


def test_a_compiled_catalogue_that_says_something_else_is_caught(package: Path) -> None:
    write(package, HELLO + SEATS, HELLO.replace("Hallo", "Servus") + SEATS)

    assert "is not what django.po says" in "\n".join(catalogue_faults(package, "de"))


def test_a_catalogue_that_is_not_there_is_caught(package: Path) -> None:
    assert "there is no django.po and no django.mo" in "\n".join(catalogue_faults(package, "de"))


def test_a_declared_language_without_a_catalogue_and_one_that_nobody_declared_are_caught() -> None:
    plugin = next(one for one in installed().plugins if one.slug == "identity")
    promises.check_translations(PluginSubject(plugin))

    with pytest.raises(AssertionError, match="fr: shipped, and not among the languages"):
        promises.check_translations(declaring("de"))
    with pytest.raises(AssertionError, match=r"ja: there is no django\.po"):
        promises.check_translations(declaring("de", "fr", "ja"))


def declaring(*languages: str) -> Any:
    """Return identity as it would be with other ``languages`` declared."""
    config = SimpleNamespace(languages=languages, __name__="Config")
    return SimpleNamespace(slug="identity", plugin=SimpleNamespace(config=config))


def test_every_plugin_of_this_repository_speaks_the_languages_of_the_core() -> None:
    from tools.messages import LANGUAGES

    found = {one.slug: one.config.languages for one in installed().plugins}

    assert found == dict.fromkeys(found, LANGUAGES)
    assert len(found) >= 2
