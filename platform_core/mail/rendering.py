"""Turn a mail into subject, text and HTML in the language of its reader."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.template import Context, Engine, engines
from django.utils import translation

from platform_core.conf import core_settings
from platform_core.mail.declaring import Mail


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail as people read it."""

    subject: str
    text: str
    html: str


def language_for(chosen: str) -> str:
    """Return the language that a mail comes in: the ``chosen`` one where there is it, else the deployment's."""
    try:
        return translation.get_supported_language_variant(chosen)
    except LookupError:
        return str(settings.LANGUAGE_CODE)


def own_engine() -> Engine:
    """Return the engine that finds the templates of enabled plugins."""
    found: Engine = engines["django"].engine  # type: ignore[attr-defined]  # ours is Django's
    return found


def render(mail: Mail, language: str, *, engine: Engine | None = None) -> Rendered:
    """Return ``mail`` in ``language``; raises whatever its templates raise.

    In HTML every value is escaped. A text has nothing to escape.
    """
    used = engine or own_engine()
    with translation.override(language):
        subject = mail.subject_line()
        parts = {
            suffix: _part(used, mail, suffix, subject=subject, language=language)
            for suffix in ("txt", "html")
        }
    return Rendered(subject, f"{parts['txt'].strip()}\n", parts["html"])


def _part(engine: Engine, mail: Mail, suffix: str, *, subject: str, language: str) -> str:
    core = core_settings()
    values = {name: getattr(mail, name) for name in type(mail).model_fields}
    given = {
        **values,
        "subject": subject,
        "language": language,
        "site": {"name": core.site_name, "url": core.site_url},
    }
    template = engine.get_template(mail.template(suffix))
    return str(template.render(Context(given, autoescape=suffix == "html")))
