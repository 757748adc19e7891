"""How resources and routes are told in OpenAPI 3.1."""
