"""Back up a deployment whole, prove that the backup restores, and put it back; without importing Django's models."""
