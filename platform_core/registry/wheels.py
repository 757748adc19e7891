"""Unpack a wheel into a folder that can be put on the path of another process; nothing of it is run or installed."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from platform_core.registry.problems import PluginErrors, PluginProblem

MAX_BYTES = 1_000_000_000
"""How much a wheel may unpack to; a plugin is far smaller, and a crafted archive may be endless."""
MAX_FILES = 100_000
LIBRARY_FOLDERS = ("purelib", "platlib")
_UNREADABLE = (OSError, EOFError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error)
"""What a damaged or crafted file may raise: the container, encryption, names that are none, compression."""


@contextmanager
def unpacked(wheel: Path) -> Iterator[Path]:
    """Yield a temporary folder with the contents of ``wheel``, as an installer would lay them out.

    Raises PluginErrors when the file is no wheel.
    """
    with TemporaryDirectory(prefix="platform-wheel-") as folder:
        target = Path(folder)
        try:
            with zipfile.ZipFile(wheel) as archive:
                _check(archive, wheel)
                archive.extractall(target)  # absolute names and ".." are made harmless by zipfile
            for data in target.glob("*.data"):
                for name in LIBRARY_FOLDERS:
                    _merge(data / name, target)
        except _UNREADABLE as error:
            raise _no_wheel(wheel, f"it cannot be read: {error}") from error
        yield target


def _check(archive: zipfile.ZipFile, wheel: Path) -> None:
    names = archive.namelist()
    if not any(name.endswith(".dist-info/METADATA") for name in names):
        raise _no_wheel(wheel, "it has no metadata")
    if sum(one.file_size for one in archive.infolist()) > MAX_BYTES:
        raise _no_wheel(wheel, f"it unpacks to more than {MAX_BYTES:,} bytes")
    if len(names) > MAX_FILES:
        raise _no_wheel(wheel, f"it holds more than {MAX_FILES:,} files")


def _merge(source: Path, target: Path) -> None:
    for file in source.rglob("*"):
        if file.is_file():
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)


def _no_wheel(wheel: Path, why: str) -> PluginErrors:
    return PluginErrors(
        [
            PluginProblem(
                plugin="",
                code="no_wheel",
                place=str(wheel),
                message=f"The file is not a wheel: {why}.",
                way_out="Name a .whl file, installed, or recorded.",
            )
        ]
    )
