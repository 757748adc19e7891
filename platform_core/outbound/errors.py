"""What can go wrong with a call to elsewhere; none of it tells what a name stands for in this network."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from platform_core.errors import DomainError


class OutboundError(DomainError):
    """A call to elsewhere came to nothing."""

    code = "outbound_failed"
    status = 502
    text = _("The call came to nothing.")

    def __init__(self) -> None:
        super().__init__(self.text)


class InvalidURL(OutboundError):
    """The address is none that can be called, whatever it stands for."""

    code = "invalid_url"
    status = 422
    text = _(
        "Write an address like https://hooks.example.org/in, in ASCII, without user, password or fragment."
    )


class AddressRefused(OutboundError):
    """The address is not a public one, or the way there is not allowed."""

    code = "address_refused"
    status = 422
    text = _(
        "This address must not be called: it needs HTTPS, a public address, and port 443 or one from 1024 on."
    )


class NameUnknown(OutboundError):
    """The name cannot be looked up."""

    code = "name_unknown"
    text = _("The name of the address is not known.")


class Unreachable(OutboundError):
    """Nobody takes the connection, or it broke before the answer."""

    code = "unreachable"
    text = _("The address does not answer, or breaks off.")


class TLSFailed(OutboundError):
    """The other side does not prove that it is who it is called, or speaks no TLS."""

    code = "tls_failed"
    text = _("The certificate of the address is not valid for it, or it speaks no TLS.")


class TimedOut(OutboundError):
    """It took too long, all in all."""

    code = "timed_out"
    text = _("The address took too long.")


class AnswerTooLarge(OutboundError):
    """The head of the answer is longer than anybody needs."""

    code = "answer_too_large"
    text = _("The address answers with too much.")


class AnswerInvalid(OutboundError):
    """The answer is not HTTP."""

    code = "answer_invalid"
    text = _("The address does not answer in HTTP.")
