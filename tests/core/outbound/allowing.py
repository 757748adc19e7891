"""Let the deployment of the tests call networks that are not public."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

LOOPBACK = ("127.0.0.0/8", "::1/128")


def allow(settings: Any, *networks: str) -> None:
    """Allow ``networks`` in ``settings``, and no others."""
    state = settings.PLATFORM
    core = state.deployment.core.model_copy(
        update={"outbound_allow": [ip_network(one) for one in networks]}
    )
    settings.PLATFORM = replace(state, deployment=replace(state.deployment, core=core))
