"""From the text of an address to where it leads: one strict form, so that nobody can read it in two ways."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from django.conf import settings

from platform_core.outbound.addresses import Address, Network, is_public, is_within
from platform_core.outbound.errors import AddressRefused, InvalidURL

MOST_CHARACTERS: Final = 2000
HTTPS_PORT: Final = 443
FIRST_FREE_PORT: Final = 1024
"""Below it are services of machines, which are not meant to be posted to."""
_PORTS: Final = {"http": 80, "https": HTTPS_PORT}
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:[/?][a-z0-9._~!$&'()*+,;=:@%/?-]*)?)\Z",
    re.ASCII | re.IGNORECASE,
)
_NAME = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?\Z"
)
"""The last part begins with a letter: what may be a number in some notation is no name."""
_MOST_NAME: Final = 253


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a URL leads: ``host`` is a name in lower case or the text of ``literal``, ``path`` begins with a slash."""

    scheme: str
    host: str
    port: int
    path: str
    literal: Address | None

    @property
    def authority(self) -> str:
        """What stands in the ``Host`` of a request."""
        host = f"[{self.host}]" if isinstance(self.literal, IPv6Address) else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """Return where ``url`` leads; raises InvalidURL."""
    found = _URL.match(url) if len(url) <= MOST_CHARACTERS else None
    if found is None:
        raise InvalidURL
    scheme, path = found["scheme"].lower(), found["path"]
    port = int(found["port"] or _PORTS[scheme])
    if not 0 < port < 1 << 16:
        raise InvalidURL
    host, literal = _host(found["host"].lower())
    path = path if path.startswith("/") else f"/{path}"
    return Target(scheme=scheme, host=host, port=port, path=path, literal=literal)


def _host(text: str) -> tuple[str, Address | None]:
    try:
        if text.startswith("["):
            literal: Address = IPv6Address(text[1:-1])
        elif text[-1].isdigit() and text.replace(".", "").isdigit():
            literal = IPv4Address(text)
        elif len(text) <= _MOST_NAME and _NAME.match(text):
            return text, None
        else:
            raise InvalidURL
    except AddressValueError:
        raise InvalidURL from None
    return str(literal), literal


def allowed_networks() -> tuple[Network, ...]:
    """Return the networks that the deployment allows beside the public addresses."""
    return tuple(settings.PLATFORM.deployment.core.outbound_allow)


def judge(target: Target, address: Address) -> None:
    """Raise AddressRefused unless ``target`` may be called at ``address``."""
    if is_within(address, allowed_networks()):
        return
    well_known = target.port < FIRST_FREE_PORT and target.port != HTTPS_PORT
    if target.scheme != "https" or well_known or not is_public(address):
        raise AddressRefused


def check_url(url: str) -> None:
    """Raise InvalidURL or AddressRefused for what can be seen to be wrong without looking its name up.

    What the name stands for is judged at each call.
    """
    target = target_of(url)
    if target.literal is not None:
        judge(target, target.literal)
    elif not allowed_networks() and (
        target.scheme != "https" or (target.port < FIRST_FREE_PORT and target.port != HTTPS_PORT)
    ):
        raise AddressRefused
