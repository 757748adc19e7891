"""Settings that are changed while the deployment runs: rows of the database over file and defaults, under the environment."""
