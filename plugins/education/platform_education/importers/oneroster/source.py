"""Where a set's files come from: a folder, or a zip archive that is read in place and never unpacked."""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, Self

from django.utils.translation import gettext as _

MAX_ENTRIES = 200
MAX_UNPACKED_BYTES = 4 * 1024**3
MAX_RATIO = 200
"""How much larger than packed an archive may be; CSV shrinks to about a tenth."""
SMALL_BYTES = 1024**2
"""Below this size the ratio says nothing."""


class SourceError(Exception):
    """The path cannot be read as a set; the message is for the person who gave it."""


class Source(Protocol):
    """The files of a set, by name."""

    def names(self) -> frozenset[str]:
        """Return the names of the files in the set."""

    def open(self, name: str) -> contextlib.AbstractContextManager[IO[bytes]]:
        """Open one of them for reading bytes."""


class FolderSource:
    """A set in a folder; folders below are not looked into."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> frozenset[str]:
        """Return the names of the files directly in the folder."""
        return frozenset(one.name for one in self._folder.iterdir() if one.is_file())

    def open(self, name: str) -> contextlib.AbstractContextManager[IO[bytes]]:
        """Open a file of the folder."""
        return (self._folder / name).open("rb")


class ZipSource:
    """A set in a zip archive: at its top, or in the one folder that it holds."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._entries = _checked_entries(archive)

    def names(self) -> frozenset[str]:
        """Return the names of the archived files, without their common folder."""
        return frozenset(self._entries)

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open an archived file."""
        with self._archive.open(self._entries[name]) as stream:
            yield stream

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._archive.close()


@contextlib.contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open the set at ``path``; raises ``SourceError`` for what is neither a folder nor a decent archive."""
    try:
        if path.is_dir():
            yield FolderSource(path)
        elif path.is_file():
            with ZipSource(zipfile.ZipFile(path)) as source:
                yield source
        else:
            raise SourceError(_("There is nothing here; give a folder or a .zip file."))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise SourceError(
            _("This is no intact zip archive; give a folder or a .zip file.")
        ) from error
    except OSError as error:
        raise SourceError(
            _("It cannot be read: %(reason)s.") % {"reason": error.strerror or type(error).__name__}
        ) from error


def _checked_entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    infos = [
        one
        for one in archive.infolist()
        if not one.is_dir() and not one.filename.startswith("__MACOSX/")
    ]
    if len(infos) > MAX_ENTRIES:
        raise SourceError(_("The archive holds too many files; pack only the CSV files."))
    unpacked = sum(one.file_size for one in infos)
    packed = sum(one.compress_size for one in infos)
    if unpacked > MAX_UNPACKED_BYTES or unpacked > max(SMALL_BYTES, packed * MAX_RATIO):
        raise SourceError(_("The archive unpacks to far more than a set can be; it was refused."))
    entries: dict[str, zipfile.ZipInfo] = {}
    folders = set()
    for one in infos:
        path = PurePosixPath(one.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in one.filename or ":" in one.filename:
            raise SourceError(_("The archive holds a path that leads out of it; it was refused."))
        if one.flag_bits & 0x1:
            raise SourceError(_("The archive is encrypted; pack it without a password."))
        if path.name in entries:
            raise SourceError(
                _("The archive holds %(name)s twice; keep one.") % {"name": path.name}
            )
        entries[path.name] = one
        folders.add(path.parent)
    if len(folders) > 1:
        raise SourceError(_("The archive's files are in several folders; put them into one."))
    return entries
