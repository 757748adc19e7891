"""Models with every kind of write and reference that BaseModel answers for."""
