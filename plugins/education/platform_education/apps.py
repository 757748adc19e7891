"""The configuration of the education plugin: schools, calendars, courses, people and enrolments."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from platform_core.plugin import PluginConfig


class EducationConfig(PluginConfig):
    """Brings what a school information system knows, in OneRoster's vocabulary."""

    name = "platform_education"
    slug = "education"
    title = _("Education")
    verbose_name = _("Education")
    languages = ("de", "fr")
