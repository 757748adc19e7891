"""The settings of the identity plugin, read from ``PLUGIN_IDENTITY_*``."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, SecretStr

from platform_core.conf import Editable, PluginSettings

LONGEST_S: Final = 10 * 366 * 86_400
"""Ten years: what is longer cannot be added to the present everywhere, and then nobody could sign in."""


class IdentitySettings(PluginSettings):
    """How people sign in and how long that lasts; lengths of time are in seconds."""

    issuer: str = Field(default="urn:platform:identity", min_length=1)
    """The ``iss`` claim of access tokens."""
    audience: str = Field(default="urn:platform:api", min_length=1)
    """The ``aud`` claim of access tokens."""
    access_ttl: Annotated[int, Editable()] = Field(default=600, ge=30, le=3600)
    """How long an access token is valid."""
    refresh_ttl: Annotated[int, Editable()] = Field(default=14 * 86_400, ge=300, le=LONGEST_S)
    """How long an unused refresh token is valid."""
    session_ttl: Annotated[int, Editable()] = Field(default=90 * 86_400, ge=300, le=LONGEST_S)
    """How long after sign-in a session ends, however often it is refreshed."""
    signup_open: Annotated[bool, Editable()] = False
    """Whether people may create their own account."""
    signing_keys: SecretStr | None = None
    """One or two private Ed25519 keys in PEM form, the signing one first; generated and kept when absent."""
