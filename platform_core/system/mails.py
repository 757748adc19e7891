"""Mails over HTTP: to whom roughly, in which state, and what they failed by; never what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from platform_core.access import Granted, Policy
from platform_core.contributions import Permission
from platform_core.mail.resending import can_be_resent, resend_mail
from platform_core.models import MailMessage
from platform_core.resource import ModelSerializer, Resource, operation

VIEW_MAILS = "system.view_mails"
RESEND_MAILS = "system.resend_mails"

PERMISSIONS = tuple(
    Permission(name=name, title=title, rule=Granted(name), model=MailMessage._meta.label)
    for name, title in (
        (VIEW_MAILS, _("View which mails were sent, without what they say")),
        (RESEND_MAILS, _("Send mails that failed once more")),
    )
)


class MailSerializer(ModelSerializer):
    """A mail: which one, roughly to whom, and how it stands. What it says is shown to nobody."""

    class Meta:
        model = MailMessage
        fields = (
            "id",
            "template",
            "plugin",
            "language",
            "recipient",
            "recipient_digest",
            "state",
            "attempts",
            "error",
            "error_id",
            "request_id",
            "created_at",
            "attempted_at",
            "sent_at",
        )
        read_only_fields = fields


class MailResource(Resource):
    """The mails of the last 30 days, the newest first. One that failed can be sent again for a week."""

    model = MailMessage
    serializer_class = MailSerializer
    name = "mails"
    actions = ("list", "retrieve")
    policy = Policy(view=VIEW_MAILS, resend=RESEND_MAILS)
    ordering = "-created_at"
    filterset_fields = {
        "template": ["exact"],
        "plugin": ["exact"],
        "language": ["exact"],
        "recipient_digest": ["exact"],
        "state": ["exact"],
        "request_id": ["exact"],
        "created_at": ["gte", "lt"],
    }

    @operation(
        verb="resend",
        when=can_be_resent,
        reason=_("Only a mail that failed, and whose content is still there, can be sent again."),
    )
    def resend(self, mail: MailMessage, data: Mapping[str, Any]) -> None:
        """Send a mail that failed once more, with as many attempts as at first."""
        resend_mail(mail)
