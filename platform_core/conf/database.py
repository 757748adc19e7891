"""Django's database settings: ``DATABASE_URL``, else the embedded PostgreSQL of the data folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from platform_core.conf.settings import read_variable
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.services import EmbeddedPostgres

POOL_TIMEOUT_S = 2
CONNECT_TIMEOUT_S = 2
_PREPARED_FROM = 3
"""How often a connection sends a statement before it asks the server to keep it."""


def embedded_postgres(data_dir: Path) -> EmbeddedPostgres:
    """Return the launcher of the deployment's own PostgreSQL; nothing is started."""
    return EmbeddedPostgres(data_dir / "postgres")


def database_settings(
    data_dir: Path,
    environ: Mapping[str, str],
    *,
    pool_size: int | None,
    prepares: bool = True,
) -> dict[str, Any]:
    """Return the ``DATABASES`` entry; raises PluginErrors for an address that is not PostgreSQL's.

    ``pool_size`` is the most connections a process holds, None for one connection a thread. ``prepares`` keeps statements
    that are sent often on the server.
    """
    url = read_variable("DATABASE_URL", environ)
    if not url:
        server = embedded_postgres(data_dir).running()
        url = (
            server.url()
            if server
            else f"postgresql:///platform?host={quote(str(data_dir))}/postgres"
        )
    try:
        parts = dict(conninfo_to_dict(url))
    except psycopg.Error:  # of more than one class; its text holds the address
        raise PluginErrors(
            [
                PluginProblem(
                    plugin="",
                    code="setting_invalid",
                    place="DATABASE_URL",
                    message="The address is not one of a PostgreSQL database.",
                    way_out="Write postgresql://user:password@host:5432/name.",
                )
            ]
        ) from None
    options: dict[str, Any] = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        **{k: v for k, v in parts.items() if k not in _OWN_KEYS},
    }
    if prepares:
        options["prepare_threshold"] = _PREPARED_FROM
    if pool_size is not None:
        # A short time to give up, or else the pauses between attempts grow with the outage and outlast it.
        options["pool"] = {
            "min_size": 1,
            "max_size": pool_size,
            "timeout": POOL_TIMEOUT_S,
            "reconnect_timeout": POOL_TIMEOUT_S,
        }
    return {
        "ENGINE": "platform_core.postgresql",
        "NAME": parts.get("dbname", "platform"),
        "USER": parts.get("user", ""),
        "PASSWORD": parts.get("password", ""),
        "HOST": parts.get("host", ""),
        "PORT": str(parts.get("port", "")),
        "CONN_MAX_AGE": 0 if pool_size is not None else 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


def limit_waiting(options: dict[str, Any], *, lock_s: int, statement_s: int) -> None:
    """Add to the ``OPTIONS`` of a database how many seconds a lock and a statement may take; 0 adds no limit.

    They travel with the connection's start, so that no request pays for them. What the address says itself wins.
    """
    limits = {"lock_timeout": lock_s, "statement_timeout": statement_s}
    words = [f"-c {name}={seconds}s" for name, seconds in limits.items() if seconds]
    if words:
        options["options"] = " ".join([*words, *filter(None, [options.get("options")])])


_OWN_KEYS = frozenset({"dbname", "user", "password", "host", "port"})
