"""Sealed files: ZIP files that appear whole or not at all, and in which no byte can change unseen.

The seal is the file's comment, its last bytes: the SHA-256 of everything before, since a ZIP's own checksums leave
times, names and headers uncovered. It proves that the file is as it was written, not by whom.
"""
