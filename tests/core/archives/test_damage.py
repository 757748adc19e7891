"""An archive with one flipped byte, wherever it is, is refused; so is one that was put together by another hand."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from platform_core.archives.reading import open_archive
from platform_core.registry.problems import PluginErrors
from platform_core.sealed.format import MANIFEST, SEAL, SEAL_BYTES, hash_before_seal
from tests.core.archives.conftest import Ground
from tests.core.archives.ground import left_of


def quiet(step: str, done: int, total: int) -> None:
    """Report no progress."""


def refusal(file: Path) -> str:
    with pytest.raises(PluginErrors) as raised:
        open_archive(file, quiet)
    (problem,) = raised.value.problems
    assert problem.place == str(file)
    return problem.code


def places(archive: Path) -> dict[str, int]:
    """Return a byte of every kind of place: headers, data, manifest, directory, its end, the seal."""
    content = archive.read_bytes()
    with zipfile.ZipFile(archive) as found:
        start = found.start_dir
        members = {info.filename: info for info in found.infolist()}
    data = members["rows/education_student.copy"].header_offset
    manifest = members[MANIFEST].header_offset
    end = content.rindex(b"PK\x05\x06")
    chosen = {
        "first byte": 0,
        "time in a local header": data + 10,
        "name in a local header": data + 32,
        "data": data + 200,
        "checksum in a local header": data + 14,
        "manifest": manifest + 150,
        "central directory": start + 8,
        "attributes in the directory": start + 38,
        "end of directory": end + 10,
        "length of the comment": end + 20,
        "seal's name": len(content) - SEAL_BYTES,
        "last byte": len(content) - 1,
    }
    step = len(content) // 40
    return chosen | {f"byte {n * step}": n * step for n in range(40)}


def test_one_flipped_byte_is_refused_wherever_it_is(ground: Ground, tmp_path: Path) -> None:
    file = tmp_path / "flipped.zip"
    content = ground.archive.read_bytes()
    with open_archive(ground.archive, quiet) as archive:
        assert archive.manifest.slug == "education"
    for name, place in places(ground.archive).items():
        flipped = bytearray(content)
        flipped[place] ^= 1 << (place % 8)
        file.write_bytes(flipped)

        assert refusal(file) == "archive_damaged", name


@pytest.mark.parametrize("length", [-1, -4096, 10, 0])
def test_a_cut_archive_is_refused(length: int, ground: Ground, tmp_path: Path) -> None:
    file = tmp_path / "cut.zip"
    file.write_bytes(ground.archive.read_bytes()[:length])

    assert refusal(file) == "archive_damaged"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "no_archive"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Lindenhof", b"Lindenhoh"),
        (b'"format": 1', b'"format": 2'),
        (b"files/logos/north.svg", b"files/../../north.svg"),
        (b"files/logos/north.svg", b"/iles/logos/north.svg"),
        (b'"mode": null', b'"moda": null'),
    ],
)
def test_a_seal_on_other_contents_does_not_help(
    old: bytes, new: bytes, ground: Ground, tmp_path: Path
) -> None:
    file = tmp_path / "resealed.zip"
    changed = 0
    with zipfile.ZipFile(ground.archive) as source, zipfile.ZipFile(file, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            changed += content.count(old)
            target.writestr(name.replace(old.decode(), new.decode()), content.replace(old, new))
        target.comment = SEAL.ljust(SEAL_BYTES, b"0")
    assert changed
    with file.open("r+b") as stream:
        digest = hash_before_seal(stream)
        stream.seek(-SEAL_BYTES, 2)
        stream.write(SEAL + digest.encode())

    assert refusal(file) == "archive_damaged"


def test_a_damaged_archive_writes_nothing(ground: Ground, tmp_path: Path) -> None:
    file = tmp_path / "damaged.zip"
    shutil.copy(ground.archive, file)
    with file.open("r+b") as stream:
        stream.seek(5000)
        byte = stream.read(1)
        stream.seek(5000)
        stream.write(bytes([byte[0] ^ 1]))
    with ground.without_education(tmp_path / "site") as site:
        answer = site.call("plugin", "restore", str(file), "--json")

        assert answer.code == 1
        assert [one["code"] for one in answer.problems] == ["archive_damaged"]
        assert left_of(site.database_url) == []
        assert not (site.folder / "var" / "plugins").exists()
