"""Password hashing: Argon2id with OWASP's parameters, never more at once than the machine has room for."""

from __future__ import annotations

import os
import threading
from typing import Final

from django.contrib.auth.hashers import Argon2PasswordHasher

MAX_PARALLEL: Final = max(1, os.cpu_count() or 1)
_room = threading.BoundedSemaphore(MAX_PARALLEL)
"""46 MiB each: a burst of sign-ins waits in line instead of filling the memory."""


class CappedArgon2PasswordHasher(Argon2PasswordHasher):
    """Argon2id with t=2, 46 MiB, p=1 (OWASP Password Storage Cheat Sheet), capped per process."""

    time_cost = 2
    memory_cost = 46 * 1024
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        """Return the encoded hash, when there is room."""
        with _room:
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        """Tell whether ``password`` is the one, when there is room."""
        with _room:
            return super().verify(password, encoded)
