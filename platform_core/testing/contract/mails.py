"""What a plugin's mails promise: they are readable in every language, show what they hold, and let nothing in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.conf import settings
from django.template import Engine

from platform_core.mail.declaring import Mail, faults_of
from platform_core.mail.rendering import Rendered, own_engine, render
from platform_core.registry import installed
from platform_core.testing.contract.promises import require_none
from platform_core.testing.contract.subjects import PluginSubject

_UNKNOWN = "⟦%s⟧"
_UNKNOWN_FOUND = re.compile("⟦(.*?)⟧")
_HOSTILE = "<script>&\"'"
_LINK = re.compile(r"""\b(?:href|src)\s*=\s*["']?([^"'\s>]*)""", re.IGNORECASE)
_REACHABLE = ("https://", "http://", "mailto:")


def check_mails(plugin: PluginSubject) -> None:
    """Assert that each mail of the plugin can be rendered from its example in every language, and safely."""
    faults = [
        f"{mail.name} {fault}"
        for mail in installed().of_plugin(plugin.slug, "mails")
        for fault in _faults(mail)
    ]
    require_none("These mails are not as they have to be", faults)


def _faults(mail: type[Mail]) -> Iterator[str]:
    yield from faults_of(mail)
    found = own_engine()
    engine = Engine(
        loaders=found.loaders,
        libraries=found.libraries,
        builtins=found.builtins,
        string_if_invalid=_UNKNOWN,
    )
    example = mail.example()
    for language, _name in settings.LANGUAGES:
        shown = render(example, language, engine=engine)
        yield from (f"in {language}: {fault}" for fault in _faults_as_shown(shown))
    hostile = example.model_copy(update=dict.fromkeys(_texts(example), _HOSTILE))
    if _HOSTILE in render(hostile, settings.LANGUAGES[0][0], engine=engine).html:
        yield "lets a value into its HTML without escaping it"
    yield from _shown_once_only(example, engine)


def _faults_as_shown(shown: Rendered) -> Iterator[str]:
    for name, part in (("text", shown.text), ("HTML", shown.html)):
        if not part.strip():
            yield f"the {name} is empty"
        for unknown in _UNKNOWN_FOUND.findall(part):
            yield f"the {name} shows {unknown}, which is not there"
    if "<html" not in shown.html.lower():
        yield "the HTML is no whole page; extend platform_core/mail/layout.html"
    for link in _LINK.findall(shown.html):
        if not link.startswith(_REACHABLE):
            yield f"a link leads to {link!r}, which a mail program cannot follow"


def _shown_once_only(example: Mail, engine: Engine) -> Iterator[str]:
    """Yield the texts that one of the two forms keeps from its readers."""
    for field in _texts(example):
        marked = example.model_copy(update={field: "zyxwv"})
        shown = render(marked, settings.LANGUAGES[0][0], engine=engine)
        if ("zyxwv" in shown.text) != ("zyxwv" in shown.html.replace(shown.subject, "")):
            yield f"shows {field} in only one of text and HTML"


def _texts(example: Mail) -> list[str]:
    return [name for name in type(example).model_fields if type(getattr(example, name)) is str]
