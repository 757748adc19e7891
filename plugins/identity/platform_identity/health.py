"""Whether this process could sign and verify tokens."""

from __future__ import annotations

from platform_core.contributions import HealthResult
from platform_identity.errors import SigningKeyError
from platform_identity.services.keys import key_ring


def signing_keys() -> HealthResult:
    """Tell whether the signing keys can be used, without a word about them."""
    try:
        ring = key_ring()
    except SigningKeyError as error:
        return HealthResult(healthy=False, detail=str(error))
    except OSError as error:
        return HealthResult(
            healthy=False, detail=f"The signing keys cannot be read: {error.strerror}."
        )
    return HealthResult(healthy=True, detail=f"{len(ring.verifying)} keys")
