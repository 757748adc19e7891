"""Whether a feature is on for whoever asks: a share of all people is always the same people."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.http import Http404
from waffle import get_waffle_flag_model

from platform_core.access import ANONYMOUS
from platform_core.resource.rate_limits import caller_of

if TYPE_CHECKING:
    from platform_core.access import Actor

_DRAWN = 2**64


def flag_is_on(request: Any, flag: str | None) -> bool:
    """Tell whether the feature ``flag`` is on for the request; what has none is always on.

    Of a flag that is on for so many percent, each actor is among them or not for good: raising the share only adds some.
    Whoever is not signed in is told apart by their address.
    """
    if flag is None:
        return True
    found: Any = get_waffle_flag_model().get(flag)
    if found.pk is None or found.everyone is not None or not found.percent:
        return bool(found.is_active(request))
    plain = getattr(request, "_request", request)
    actor: Actor = getattr(plain, "actor", ANONYMOUS)
    return is_among(flag, caller_of(plain, actor), found.percent)


def is_among(flag: str, who: str, percent: Decimal) -> bool:
    """Tell whether ``who`` is among so many percent of all; another flag draws others."""
    digest = hashlib.blake2b(f"{flag} {who}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) < _DRAWN * percent / 100


def require_flag(request: Any, flag: str | None) -> None:
    """Raise ``Http404`` while the feature ``flag`` is off for the request."""
    if not flag_is_on(request, flag):
        raise Http404
