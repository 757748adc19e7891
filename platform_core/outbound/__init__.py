"""The one HTTP client of the platform: public addresses only, each looked up once, no redirects, bounded in time and size."""

from platform_core.outbound.client import Answer, send
from platform_core.outbound.errors import (
    AddressRefused,
    AnswerInvalid,
    AnswerTooLarge,
    InvalidURL,
    NameUnknown,
    OutboundError,
    TimedOut,
    TLSFailed,
    Unreachable,
)
from platform_core.outbound.targets import check_url

__all__ = [
    "AddressRefused",
    "Answer",
    "AnswerInvalid",
    "AnswerTooLarge",
    "InvalidURL",
    "NameUnknown",
    "OutboundError",
    "TLSFailed",
    "TimedOut",
    "Unreachable",
    "check_url",
    "send",
]
