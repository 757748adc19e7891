"""A file that only claims to be a wheel is refused with one sentence, and puts nothing where it does not belong."""

from __future__ import annotations

import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from platform_core.registry import wheels
from platform_core.registry.problems import PluginErrors
from platform_core.registry.wheels import unpacked

METADATA = "toy-1.0.dist-info/METADATA"


def written(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(METADATA, "Name: toy\n" * 100)
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def broken_stream(path: Path) -> None:
    content = bytearray(written(path).read_bytes())
    content[30 + len(METADATA) : 60 + len(METADATA)] = b"\xff" * 30
    path.write_bytes(content)


def encrypted(path: Path) -> None:
    content = bytearray(written(path).read_bytes())
    directory = content.rindex(b"PK\x01\x02")
    for flags in (6, directory + 8):
        content[flags] |= 1
    path.write_bytes(content)


def unknown_compression(path: Path) -> None:
    content = bytearray(written(path).read_bytes())
    directory = content.rindex(b"PK\x01\x02")
    for method in (8, directory + 10):
        content[method : method + 2] = struct.pack("<H", 77)
    path.write_bytes(content)


def file_for_folder(path: Path) -> None:
    written(path, **{"a": "", "toy-1.0.data/purelib/a/b.py": ""})


def many_files(path: Path) -> None:
    written(path, **{f"f{number}": "" for number in range(20)})


def endless(path: Path) -> None:
    written(path, bomb="0" * 200_000)


@pytest.mark.parametrize(
    "make",
    [broken_stream, encrypted, unknown_compression, file_for_folder, many_files, endless],
)
def test_what_cannot_be_unpacked_is_no_wheel(
    make: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "MAX_FILES", 10)
    monkeypatch.setattr(wheels, "MAX_BYTES", 100_000)
    path = tmp_path / "toy.whl"
    make(path)

    with pytest.raises(PluginErrors) as refused, unpacked(path):
        pass

    assert [one.code for one in refused.value.problems] == ["no_wheel"]


def test_names_and_links_that_lead_out_stay_inside(tmp_path: Path) -> None:
    path = tmp_path / "toy.whl"
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(METADATA, "Name: toy\n")
        archive.writestr("../../outside.py", "x")
        archive.writestr(f"{tmp_path}/absolute.py", "x")
        archive.writestr(link, str(tmp_path))
        archive.writestr("toy-1.0.data/purelib/../../../outside.py", "x")

    with unpacked(path) as folder:
        assert not any(one.is_symlink() for one in folder.rglob("*"))
        assert list(folder.rglob("outside.py"))
    assert list(tmp_path.iterdir()) == [path]
