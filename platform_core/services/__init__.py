"""Launch the services a deployment may embed, without importing Django."""

from platform_core.services._binaries import MAJOR_VERSION, Binaries, find_binaries
from platform_core.services._errors import EmbeddedPostgresError
from platform_core.services.lease import Lease
from platform_core.services.postgres import EmbeddedPostgres, ServerInfo

__all__ = [
    "MAJOR_VERSION",
    "Binaries",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "Lease",
    "ServerInfo",
    "find_binaries",
]
