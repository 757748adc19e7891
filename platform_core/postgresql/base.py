"""The database backend: a connection from the pool costs a look at its socket, and no statement."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any, ClassVar

from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQL
from psycopg import Connection
from psycopg_pool import ConnectionPool

if TYPE_CHECKING:
    from collections.abc import Callable


def check_at_a_glance(connection: Connection[Any]) -> None:
    """Raise what psycopg raises when ``connection`` is dead; only one on which something waits to be read is asked.

    A server says nothing to a connection that is at rest. One that ends, is killed or ends the connection closes the
    socket, which can be read then. One that has vanished without a word would let a statement wait just as long.
    """
    poller = select.poll()
    poller.register(connection.fileno(), select.POLLIN)
    if poller.poll(0):
        ConnectionPool.check_connection(connection)


class DatabaseWrapper(PostgreSQL):
    """Takes connections that are ready from the pool, and prepares nothing that the pool knows."""

    if TYPE_CHECKING:  # what Django has and its stubs leave out
        _connection_pools: ClassVar[dict[str, ConnectionPool[Any]]]
        _configure_connection: Callable[[Connection[Any]], None]

    @property
    def pool(self) -> ConnectionPool[Any] | None:
        """Return the pool of this process, made when it is first asked for; ``None`` without one."""
        options = self.settings_dict["OPTIONS"].get("pool")
        if not options or self.alias == NO_DB_ALIAS:
            return None
        known = self._connection_pools
        if self.alias in known:
            return known[self.alias]
        made: ConnectionPool[Any] = ConnectionPool(
            kwargs={**super().get_connection_params(), "autocommit": True},
            open=False,  # whoever takes the first connection opens it, after any fork
            configure=self._configure_connection,
            check=check_at_a_glance,
            **options,
        )
        return known.setdefault(self.alias, made)  # another thread may have made one too

    def get_connection_params(self) -> dict[str, Any]:
        """Return how to connect; nothing where the pool does that."""
        return {} if self.pool is not None else super().get_connection_params()

    def parameters_beside_the_pool(self) -> dict[str, Any]:
        """Return how to connect for somebody who keeps a connection of their own, such as a listener."""
        return super().get_connection_params()

    def _set_autocommit(self, autocommit: bool) -> None:
        if self.connection is None or self.connection.autocommit != autocommit:
            super()._set_autocommit(autocommit)  # type: ignore[misc]
