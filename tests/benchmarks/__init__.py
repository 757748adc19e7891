"""CPU per request of the platform, measured against the same answers written by hand."""
