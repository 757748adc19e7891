"""The writes of identity that mean something, by subject."""
