"""``send_mail``: keep a mail, encrypted, and hand it to a worker, in the transaction of whoever sends it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from platform_core.access import current_request_id
from platform_core.errors import Invalid
from platform_core.mail.catalogue import CORE, owned
from platform_core.mail.declaring import Mail
from platform_core.mail.rendering import language_for
from platform_core.observability.security import pseudonym

if TYPE_CHECKING:
    from platform_core.models import MailMessage

MOST_ADDRESS = 254
TASK = f"{CORE}.deliver_mail"


def send_mail(mail: Mail, *, to: str, language: str = "") -> UUID:
    """Send ``mail`` to one address when the caller's transaction commits, and return the id under which it is kept.

    ``language`` is that of the reader; without one it is the active one. The mail waits while the plugin that declares
    it is dormant. Raises LookupError for a mail that no enabled plugin declares, ``Invalid`` for an address that is
    none, and ValueError for a value that would break the subject.
    """
    from platform_core.models import MailMessage  # needs loaded models

    found = owned(type(mail))
    reader = language_for(language or translation.get_language() or "")
    with translation.override(reader):
        mail.subject_line()
    address = _checked(to)
    kept = MailMessage(
        template=mail.name,
        plugin=found.owner,
        language=reader,
        recipient=masked(address),
        recipient_digest=pseudonym(address.lower()),
        payload=json.dumps({"to": address, "fields": mail.model_dump(mode="json")}),
        request_id=current_request_id() or "",
    )
    with transaction.atomic():
        kept.save(force_insert=True)
        hand_in(kept)
    return kept.pk


def rehearse_mail(mail: Mail, *, to: str) -> None:
    """Do the work of ``send_mail`` and send nothing, where the time that it takes must not tell whether anybody is written to.

    The job stays, and finds no mail. Raises what ``send_mail`` raises.
    """
    from platform_core.models import MailMessage  # needs loaded models

    with transaction.atomic():
        MailMessage.objects.filter(pk=send_mail(mail, to=to)).delete()


def hand_in(kept: MailMessage) -> None:
    """Let a worker send a mail that is kept; call it in the transaction that keeps it."""
    from platform_core.tasks.backend import engine
    from platform_core.tasks.engine import Submission
    from platform_core.tasks.payload import make_payload

    payload = make_payload(TASK, (), {"mail_id": str(kept.pk)})
    engine().enqueue(Submission(task=TASK, queue=kept.plugin, payload=payload))


def _checked(address: str) -> str:
    try:
        validate_email(address)
    except ValidationError as error:
        raise Invalid(_("This is not an e-mail address."), code="invalid_address") from error
    if len(address) > MOST_ADDRESS:
        raise Invalid(_("This is not an e-mail address."), code="invalid_address")
    return address


def masked(address: str) -> str:
    """Return so much of an address that whoever knows it recognises it."""
    local, _at, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"
