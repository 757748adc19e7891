"""Files are whole and on disk before anybody may rely on them."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from platform_core import durable
from platform_core.durable import create_private_file, replace_file, replace_private_file


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is asked of the disk, in order."""
    found: list[str] = []
    for name, module in (("fsync", os), ("link", os)):
        real = getattr(module, name)

        def told(*args: object, name: str = name, real: object = real) -> object:
            found.append(name)
            return real(*args)  # type: ignore[operator]

        monkeypatch.setattr(durable.os, name, told)
    real_replace = Path.replace

    def replace(path: Path, target: Path) -> Path:
        found.append("replace")
        return real_replace(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    return found


def names_in(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir()]


def test_a_private_file_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "key"

    assert create_private_file(file, "one")
    assert not create_private_file(file, "two")

    assert file.read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_of_those_who_create_it_at_once_one_succeeds(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "key"

    with ThreadPoolExecutor(12) as pool:
        done = list(pool.map(lambda number: create_private_file(file, f"{number}"), range(12)))

    assert done.count(True) == 1
    assert file.read_text() == f"{done.index(True)}"
    assert names_in(file.parent) == ["key"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_key_is_on_disk_before_its_name_is_and_the_name_too(
    tmp_path: Path, steps: list[str]
) -> None:
    create_private_file(tmp_path / "key", "one")
    replace_private_file(tmp_path / "key", b"two")

    assert steps == ["fsync", "link", "fsync", "fsync", "replace", "fsync"]
    assert (tmp_path / "key").read_text() == "two"


def test_what_is_private_becomes_so_again(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("one")
    file.chmod(0o644)

    replace_private_file(file, b"two")

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_replaced_file_keeps_its_mode_and_the_link_to_it(tmp_path: Path) -> None:
    file, link = tmp_path / "real.toml", tmp_path / "platform.toml"
    file.write_text("one")
    file.chmod(0o640)
    link.symlink_to(file)

    replace_file(link, b"two")

    assert link.is_symlink()
    assert file.read_text() == "two"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(names_in(tmp_path)) == ["platform.toml", "real.toml"]


def test_a_full_disk_leaves_the_old_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text("one")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace_private_file(file, b"two")

    assert file.read_text() == "one"
    assert names_in(tmp_path) == ["key"]
