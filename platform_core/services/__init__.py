"""Launch the services a deployment may embed, without importing Django."""

from platform_core.services._errors import EmbeddedPostgresError
from platform_core.services.postgres import EmbeddedPostgres, ServerInfo

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "ServerInfo"]
