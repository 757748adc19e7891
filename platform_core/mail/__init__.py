"""Mail: what a plugin writes to people, declared with its words and sent by a worker after the commit."""

from platform_core.mail.declaring import Mail
from platform_core.mail.sending import rehearse_mail, send_mail

__all__ = ["Mail", "rehearse_mail", "send_mail"]
