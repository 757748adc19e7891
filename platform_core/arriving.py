"""A request of which parts are still on the way, and whether there is enough of it to go on."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from platform_core.edge.limits import limit_of

MOST_HELD = 2_600_000
"""The longest body that is waited for: a little more than is read into memory anyway."""
_LONGEST_HEAD = 64 << 10
_LONGEST_LINE = 8 << 10
_HEADER = re.compile(
    rb"\r\n(content-length|content-type|transfer-encoding|expect)[ \t]*:[ \t]*([^\r\n]*)", re.I
)


class Arriving:
    """The bytes of a request so far. What cannot be understood is enough: whoever parses it refuses it.

    So is the head of what is longer than ``limits`` let a body of its media type be: it is refused before it is sent.
    """

    def __init__(self, limits: Mapping[str, int], data: bytes = b"") -> None:
        self._limits = limits
        self._most = MOST_HELD
        self.data = bytearray(data)
        self._began = time.monotonic()
        self._head_ends = 0
        self._needed: int | None = None
        self._chunk_at = 0

    @property
    def age_s(self) -> float:
        """Seconds since the first look at the request."""
        return time.monotonic() - self._began

    @property
    def has_head(self) -> bool:
        """Whether the head is there."""
        return self._head_ends > 0

    def add(self, data: bytes) -> None:
        """Take what has come."""
        self.data += data

    def is_enough(self) -> bool:
        """Tell whether the request is whole, or too long or too odd to wait for its end."""
        if not self.has_head and not self._find_head():
            return len(self.data) > _LONGEST_HEAD
        if self._needed is None:
            return self._has_all_chunks()
        return len(self.data) >= self._needed

    def _find_head(self) -> bool:
        end = self.data.find(b"\r\n\r\n")
        if end < 0:
            return False
        self._head_ends = self._chunk_at = end + 4
        self._needed = self._head_ends
        found = [(name.lower(), value) for name, value in _HEADER.findall(self.data[:end])]
        types = [value for name, value in found if name == b"content-type"]
        framing = [one for one in found if one[0] != b"content-type"]
        self._most = min(MOST_HELD, limit_of((types or [b""])[0].decode("latin-1"), self._limits))
        if len(framing) == 1:  # a client that expects to be told to go on waits for it
            name, value = framing[0]
            if name == b"transfer-encoding" and value.strip().lower() == b"chunked":
                self._needed = None
            elif name == b"content-length":
                self._needed = self._head_ends + self._awaited(value)
        return True

    def _awaited(self, length: bytes) -> int:
        """Return the bytes of a body of ``length`` that are waited for: none when it is too long or no number."""
        text = length.strip()
        if not text.isdigit() or len(text) > len(str(MOST_HELD)) or int(text) > self._most:
            return 0
        return int(text)

    def _has_all_chunks(self) -> bool:
        """Walk over the chunks (RFC 9112, section 7.1) that are whole."""
        while True:
            end = self.data.find(b"\r\n", self._chunk_at)
            if end < 0:
                return len(self.data) - self._chunk_at > _LONGEST_LINE
            try:
                size = int(self.data[self._chunk_at : end].partition(b";")[0], 16)
            except ValueError:
                return True
            if size == 0:
                return self.data.find(b"\r\n\r\n", end) >= 0 or len(self.data) - end > _LONGEST_HEAD
            following = end + 2 + size + 2
            if size < 0 or following > self._head_ends + self._most:
                return True
            if len(self.data) < following:
                return False
            self._chunk_at = following
