"""The mails of this process by name, each with its owner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from platform_core.mail.declaring import Mail
from platform_core.mail.trial import TrialMail
from platform_core.registry import installed
from platform_core.webhooks.mails import WebhookDisabled

CORE = "platform_core"
_OWN: tuple[type[Mail], ...] = (TrialMail, WebhookDisabled)


@dataclass(frozen=True, slots=True)
class OwnedMail:
    """A mail and the slug of the plugin that declares it, in whose queue it is sent."""

    owner: str
    mail: type[Mail]


def all_mails() -> Mapping[str, OwnedMail]:
    """Return the mails of enabled plugins by name, and the core's own."""
    entries = installed().entries["mails"]
    own = {one.name: OwnedMail(CORE, one) for one in _OWN}
    return {**own, **{entry.key: OwnedMail(entry.owner, entry.item) for entry in entries}}


def owned(mail: type[Mail]) -> OwnedMail:
    """Return the mail with its owner; raises LookupError for one that no enabled plugin declares."""
    found = all_mails().get(getattr(mail, "name", ""))
    if found is None or found.mail is not mail:
        raise LookupError(
            f"No enabled plugin declares {mail.__qualname__} as a mail: return it from the hook mails()."
        )
    return found


def mail_named(name: str) -> OwnedMail:
    """Return the mail of this name; raises LookupError with the names that there are."""
    mails = all_mails()
    if name not in mails:
        raise LookupError(
            f"There is no mail {name} of an enabled plugin; there are: {', '.join(sorted(mails))}."
        )
    return mails[name]
