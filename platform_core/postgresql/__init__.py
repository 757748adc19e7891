"""Django's PostgreSQL backend, with less work for each request that takes a connection from the pool."""
