"""Name the one error the embedded PostgreSQL raises."""


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL could not do what was asked; the message says what to do next."""
