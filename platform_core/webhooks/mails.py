"""The mail that webhooks send: the platform has disabled an endpoint."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar, Literal
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from platform_core.mail.declaring import Mail

Reason = Literal["gone", "failing"]
"""Why the platform disables an endpoint: it says that it is gone, or nothing has succeeded for days."""


class WebhookDisabled(Mail):
    """Tells whoever made an endpoint that nothing is sent to it any more, and why.

    It names the host of the address only: the rest may be a secret of the receiver.
    """

    name: ClassVar = "platform_core.webhook_disabled"
    subject: ClassVar = _("The webhook to {host} was disabled")

    host: str
    endpoint: UUID
    description: str
    because: Reason
    days: int
    waiting: int
    at: dt.datetime

    @classmethod
    def example(cls) -> WebhookDisabled:
        """Return one about a day long ago."""
        return cls(
            host="hooks.example.org",
            endpoint=UUID("01a2153c-5810-7349-8004-53a3df395747"),
            description="Orders for the warehouse",
            because="failing",
            days=5,
            waiting=12,
            at=dt.datetime(2026, 1, 31, 12, 30, tzinfo=dt.UTC),
        )
