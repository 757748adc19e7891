"""Which changes of an HTTP API break its clients: two OpenAPI documents, compared operation by operation."""
