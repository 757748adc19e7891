"""When a delivery that failed is tried again, and how long an endpoint in trouble is left alone."""

from __future__ import annotations

import datetime as dt
import random
from email.utils import parsedate_to_datetime
from typing import Final

DELAYS_S: Final = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds after each failed attempt, as Standard Webhooks recommends: ten attempts over three days."""
MOST_ATTEMPTS: Final = len(DELAYS_S) + 1
JITTER: Final = 0.1
"""So much longer a wait may be by chance, so that failures spread out."""
FIRST_REST_S: Final = 5
LONGEST_REST_S: Final = 300
LONGEST_WISH_S: Final = 86_400
"""An endpoint that asks for a longer wait is not believed."""


def delay_after(attempts: int, wished_s: float | None) -> float | None:
    """Return the seconds until the next attempt after so many ``attempts``; None when there is none."""
    if attempts >= MOST_ATTEMPTS:
        return None
    delay = DELAYS_S[attempts - 1] * random.uniform(1, 1 + JITTER)  # noqa: S311  # nosec B311  (spreads load)
    return max(delay, wished_s or 0)


def rest_after(overloads: int, wished_s: float | None) -> float:
    """Return the seconds for which an endpoint is left alone that was overloaded so often in a row."""
    rest = float(min(FIRST_REST_S << min(overloads - 1, 10), LONGEST_REST_S))
    return max(rest, min(wished_s or 0, LONGEST_REST_S))


def wished_wait(retry_after: str | None, now: dt.datetime) -> float | None:
    """Return the seconds that a ``Retry-After`` asks for, None for one that says nothing."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdecimal():
        return float(min(int(retry_after[:10]), LONGEST_WISH_S))
    try:
        moment = parsedate_to_datetime(retry_after)
    except (ValueError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return min(max((moment - now).total_seconds(), 0), LONGEST_WISH_S)
