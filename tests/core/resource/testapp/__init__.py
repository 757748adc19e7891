"""A small library: models, resources and grants to test ``Resource`` with."""
