"""Judge mails: declarations that are whole, a template for text and one for HTML, and a plugin that is translated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django.apps import apps
from django.conf import settings

from platform_core.mail.declaring import faults_of
from platform_core.registry.contents import Entry, Registry

SOURCE_LANGUAGE = "en"
"""In it the words stand in templates themselves."""
Fault = tuple[Entry, str, str, str]
"""The contribution, a code, what is wrong, and the way out."""


def mail_faults(registry: Registry) -> Iterator[Fault]:
    """Yield what is wrong with the mails that plugins declare."""
    languages = {plugin.slug: plugin.config.languages for plugin in registry.plugins}
    for entry in registry.entries["mails"]:
        for fault in faults_of(entry.item):
            yield (
                entry,
                "mail_invalid",
                f'The mail "{entry.key}" {fault}.',
                "Correct the class; platform_core.mail.Mail says what it needs.",
            )
        yield from _template_faults(entry)
        wanted = {code for code, _name in settings.LANGUAGES} - {SOURCE_LANGUAGE}
        missing = sorted(wanted - {*languages[entry.owner]})
        if missing:
            yield (
                entry,
                "mail_untranslated",
                f'The mail "{entry.key}" would come in English to readers of: {", ".join(missing)}.',
                "Add the languages to the plugin's configuration class, and translate its catalogues.",
            )


def _template_faults(entry: Entry) -> Iterator[Fault]:
    folder = Path(apps.get_app_config(entry.owner).path) / "templates"
    wanted = {"text": entry.item.template("txt"), "HTML": entry.item.template("html")}
    missing = {what: name for what, name in wanted.items() if not (folder / name).is_file()}
    if missing:
        places = " and ".join(f"templates/{name}" for name in missing.values())
        yield (
            entry,
            "mail_template",
            f'The mail "{entry.key}" has no template for its {" and its ".join(missing)}.',
            f"Write {places} in the plugin's package.",
        )
