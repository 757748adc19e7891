"""Models with every kind of path that a rule can follow."""
