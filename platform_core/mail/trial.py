"""The mail by which operators see whether mail arrives."""

from __future__ import annotations

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from platform_core.mail.declaring import Mail


class TrialMail(Mail):
    """Shows whoever runs the deployment that its mails arrive."""

    name: ClassVar = "platform_core.trial"
    subject: ClassVar = _("Mail from this deployment arrives")

    @classmethod
    def example(cls) -> TrialMail:
        """Return it; it holds nothing."""
        return cls()
