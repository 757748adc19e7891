"""What a backup holds comes back row by row and byte by byte, and what it replaced is kept."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from platform_core.backups.errors import BackupError
from platform_core.backups.listing import stored_backups
from platform_core.backups.lock import backup_lock
from platform_core.backups.making import FORMAT_VERSION
from platform_core.backups.reading import open_backup
from platform_core.backups.restoring import drop_previous_states, refuse_users
from platform_core.sealed.format import MANIFEST, SEAL, SEAL_BYTES, hash_before_seal
from platform_core.sealed.writing import SealedWriter
from tests.core.backups.ground import Place, silent


def test_a_restore_brings_back_every_row_and_file_and_keeps_what_it_replaced(place: Place) -> None:
    before = place.state()
    made = place.backup()
    place.change()
    changed = place.state()
    assert changed != before

    restored = place.restore(made.path)

    assert place.state() == before
    assert place.rows(restored.previous_database) == changed[0]
    kept = place.files(restored.previous_files)
    assert kept == changed[1]
    assert (place.data_dir / "logs" / "requests.log").exists()
    place.execute("INSERT INTO pupil DEFAULT VALUES")  # the sequence goes on where it was


def test_what_restores_have_replaced_is_dropped_on_demand(place: Place) -> None:
    made = place.backup()
    restored = place.restore(made.path)

    databases, folders = drop_previous_states(place.server, place.data_dir)

    assert databases == [restored.previous_database]
    assert folders == [restored.previous_files]
    assert place.databases() == {place.server.database}
    assert not restored.previous_files.exists()


def test_a_backup_is_private_verified_and_leaves_nothing_beside(place: Place) -> None:
    made = place.backup()

    assert made.path.stat().st_mode & 0o777 == 0o600
    assert made.path.parent == place.data_dir / "backups"
    assert list(made.path.parent.iterdir()) == [made.path]
    assert place.databases() == {place.server.database}
    assert made.manifest["verified"]["rows"] == 2050
    assert [one.verified for one in stored_backups(made.path.parent)] == [True]


def test_the_manifest_tells_what_the_backup_is_made_of(place: Place) -> None:
    made = place.backup()

    with open_backup(made.path, progress=silent) as archive:
        manifest, members = archive.manifest, archive.members
    assert manifest["rows"] == {"public.pupil": 2000, "public.school": 50}
    assert manifest["postgresql"].startswith("18.")
    assert set(members) == {
        "database.dump",
        "platform.toml",
        "files/secret_key",
        "files/keys/identity-signing.pem",
        "files/mail/2026/été du nord.eml",
        "files/uploads/photo.bin",
    }
    assert all(len(one.sha256) == 64 for one in members.values())


def test_a_backup_sees_one_moment_while_others_write(place: Place) -> None:
    seen: list[str] = []

    def write_meanwhile(step: str, done: int, total: int) -> None:
        if step not in seen:
            seen.append(step)
            place.execute("INSERT INTO school (name) VALUES ('meanwhile')")

    from platform_core.backups.making import Wanted, make_backup

    before = place.rows()
    made = make_backup(
        place.server, place.data_dir, place.configuration, Wanted(), progress=write_meanwhile
    )
    assert len(place.rows()["school"]) > 50

    place.restore(made.path)

    assert place.rows() == before


def test_without_secrets_the_present_ones_stay(place: Place) -> None:
    made = place.backup(secrets=False)
    assert not any(b"first" in path.encode() for path in zipfile.ZipFile(made.path).namelist())
    assert b"first key" not in made.path.read_bytes()
    place.change()

    place.restore(made.path)

    assert (place.data_dir / "secret_key").read_text() == "second"
    assert (place.data_dir / "uploads" / "photo.bin").exists()
    assert not (place.data_dir / "since").exists()


def test_an_unverified_backup_says_so(place: Place) -> None:
    made = place.backup(verify=False)

    assert made.manifest["verified"] is None
    assert [one.verified for one in stored_backups(made.path.parent)] == [False]


def test_keep_deletes_the_oldest_only_when_the_new_one_is_proven(place: Place) -> None:
    folder = place.data_dir / "backups"
    folder.mkdir()
    old = [folder / f"backup-2020010{day}T000000Z.zip" for day in (1, 2, 3)]
    for path in old:
        path.write_bytes(b"old")
    # A table whose restore fails: its check looks into a table that the dump has not loaded yet.
    place.execute(
        "CREATE TABLE parent (id int);"
        "CREATE FUNCTION known(int) RETURNS bool LANGUAGE sql AS"
        " 'SELECT EXISTS (SELECT FROM parent WHERE id = $1)';"
        "INSERT INTO parent VALUES (1);"
        "CREATE TABLE child (parent int CHECK (known(parent))); INSERT INTO child VALUES (1)"
    )
    with pytest.raises(BackupError) as refused:
        place.backup(keep=1)
    assert refused.value.code == "program_failed"
    assert sorted(folder.iterdir()) == old
    assert place.databases() == {place.server.database}

    place.execute("DROP TABLE child")
    made = place.backup(keep=2)

    assert made.removed == [old[1], old[0]]
    assert sorted(folder.iterdir()) == [old[2], made.path]


def test_a_link_in_the_data_folder_is_told_and_not_followed(place: Place, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("not mine", encoding="utf-8")
    (place.data_dir / "uploads" / "link").symlink_to(tmp_path / "outside")

    made = place.backup(verify=False)

    assert made.skipped == ["uploads/link"]
    assert b"not mine" not in made.path.read_bytes()


def test_every_flipped_byte_and_every_missing_end_is_refused(place: Place, tmp_path: Path) -> None:
    sound = place.backup(verify=False).path.read_bytes()
    before = place.state()
    damaged = tmp_path / "damaged.zip"
    step = len(sound) // 100
    for position in [*range(0, len(sound), step), *range(len(sound) - 80, len(sound), 4)]:
        content = bytearray(sound)
        content[position] ^= 1 << (position % 8)
        damaged.write_bytes(content)
        with pytest.raises(BackupError, match="not the file that was written"):
            place.restore(damaged)
    for length in (0, 30, len(sound) // 2, len(sound) - 1):
        damaged.write_bytes(sound[:length])
        with pytest.raises(BackupError, match="not the file that was written"):
            place.restore(damaged)
    assert place.state() == before
    assert place.databases() == {place.server.database}


def forged(path: Path, name: str, **changes: Any) -> Path:
    """Write a sealed backup that holds a file called ``name``: the seal proves no more than that nothing is damaged."""
    manifest = {
        "format": FORMAT_VERSION,
        "created_at": "2026-01-01T00:00:00+00:00",
        "core": "1.0",
        "postgresql": "18.0",
        "plugins": [],
        "migrations": [],
        "rows": {},
        "secrets": True,
        "verified": None,
    }
    with SealedWriter(path, "draft", compression=zipfile.ZIP_STORED) as writer:
        writer.add(name, [b"evil"])
        writer.finish({**manifest, **changes})
        writer.place()
    return path


def refusal(path: Path) -> str:
    with pytest.raises(BackupError) as refused, open_backup(path, progress=silent):
        pass
    return refused.value.code


@pytest.mark.parametrize(
    "name",
    [
        "files/../../outside",
        "files/{}/outside",
        "files//{}/outside",
        "files/./x",
        "files//x",
        "/x",
    ],
)
def test_a_member_that_would_be_unpacked_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    assert refusal(forged(tmp_path / "evil.zip", name.format(tmp_path))) == "backup_damaged"


@pytest.mark.parametrize(
    "changes",
    [{"rows": None}, {"plugins": {}}, {"secrets": "no"}, {"postgresql": 18}, {"created_at": []}],
    ids=str,
)
def test_a_manifest_of_another_shape_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    assert refusal(forged(tmp_path / "odd.zip", "files/x", **changes)) == "backup_damaged"


@pytest.mark.parametrize("manifest", [b"[]", b"[" * 100_000, b'{"format": 1}', b" " * (65 << 20)])
def test_a_manifest_that_is_none_is_refused(manifest: bytes, tmp_path: Path) -> None:
    path = tmp_path / "none.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, manifest)
        archive.comment = SEAL.ljust(SEAL_BYTES, b"0")
    with path.open("r+b") as file:
        digest = hash_before_seal(file)
        file.seek(-64, os.SEEK_END)
        file.write(digest.encode())

    assert refusal(path) == "backup_damaged"


@pytest.mark.parametrize("name", ["files/postgres/data/PG_VERSION", "files/restore.json"])
def test_a_backup_cannot_bring_what_belongs_to_the_commands(
    name: str, place: Place, tmp_path: Path
) -> None:
    before = place.state()
    path = forged(tmp_path / "evil.zip", name)

    with pytest.raises(BackupError, match="belongs to no backup"):
        place.restore(path)

    assert place.state() == before
    assert place.databases() == {place.server.database}


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "later.zip"
    with SealedWriter(path, "draft", compression=zipfile.ZIP_STORED) as writer:
        writer.finish({"format": 99})
        writer.place()

    with pytest.raises(BackupError) as refused, open_backup(path, progress=silent):
        pass
    assert refused.value.code == "format_unknown"


def test_a_restore_is_refused_while_somebody_is_connected(place: Place) -> None:
    made = place.backup(verify=False)
    place.change()
    changed = place.state()
    with place.server.connect(), pytest.raises(BackupError) as refused:
        place.restore(made.path)
    assert refused.value.code == "database_in_use"
    refuse_users(place.server)
    assert place.state() == changed


def test_one_backup_at_a_time(place: Place) -> None:
    with backup_lock(place.data_dir), pytest.raises(BackupError) as refused:
        place.backup()
    assert refused.value.code == "backup_running"


def test_an_address_that_is_none_is_refused_without_being_told() -> None:
    from platform_core.backups.server import DatabaseServer

    with pytest.raises(BackupError) as refused:
        DatabaseServer("postgresql://user:geheim@[broken", embedded=False).command("psql")
    assert "geheim" not in str(refused.value)


def test_the_password_is_in_no_command_line(place: Place) -> None:
    from psycopg.conninfo import conninfo_to_dict

    password = str(conninfo_to_dict(place.url)["password"])
    assert password not in json.dumps(place.server.command("psql"))
    assert place.server.environment()["PGPASSWORD"] == password
