"""SIGKILL at every stage of a backup and a restore leaves a deployment that works, and nothing half-done."""

from __future__ import annotations

import pytest

from platform_core.backups.journal import settle_if_interrupted
from platform_core.backups.lock import backup_lock
from platform_core.backups.reading import open_backup
from tests.core.backups.ground import Place, silent

KILLED = -9

BACKUP = """
from platform_core.backups.making import Wanted, make_backup
def progress(step, done, total):
    if step == sys.argv[3]: die()
make_backup(place.server, place.data_dir, place.configuration, Wanted(), progress=progress)
"""

RESTORE = """
from platform_core.backups import journal, restoring
from platform_core.backups.reading import open_backup
def progress(step, done, total):
    if step == sys.argv[4] and done == total: die()
if sys.argv[4] == "renamed": journal.Journal.exchange_files = die
if sys.argv[4].isdigit():
    moves = iter(range(int(sys.argv[4])))
    rename = pathlib.Path.rename
    def counted(path, target):
        if path.suffix != ".draft" and next(moves, None) is None: die()
        return rename(path, target)
    pathlib.Path.rename = counted
with open_backup(pathlib.Path(sys.argv[3]), progress=progress) as archive:
    restoring.restore_backup(place.server, place.data_dir, archive, progress=progress)
"""


@pytest.mark.parametrize("step", ["Dumping tables", "Adding files", "Verifying tables"])
def test_a_killed_backup_leaves_none_and_the_next_one_clears_up(place: Place, step: str) -> None:
    first = place.backup(verify=False)
    before = place.state()

    assert place.run_python(BACKUP, step) == KILLED

    finished = [one for one in first.path.parent.iterdir() if not one.name.startswith(".")]
    assert finished == [first.path]
    with open_backup(first.path, progress=silent) as archive:
        assert archive.members
    second = place.backup()
    assert sorted(first.path.parent.iterdir()) == sorted([first.path, second.path])
    assert place.databases() == {place.server.database}
    assert place.state() == before


@pytest.mark.parametrize("step", ["Unpacking files", "Loading tables"])
def test_a_killed_restore_leaves_the_old_state_in_use(place: Place, step: str) -> None:
    made = place.backup(verify=False)
    place.change()
    changed = place.state()

    assert place.run_python(RESTORE, str(made.path), step) == KILLED

    assert place.state() == changed
    assert settle_if_interrupted(place.server, place.data_dir) == "undone"
    assert place.state() == changed
    assert place.databases() == {place.server.database}
    assert not [path for path in place.data_dir.iterdir() if "restore" in path.name]


@pytest.mark.parametrize("step", ["renamed", "0", "1", "3", "6"])
def test_a_restore_killed_after_the_exchange_began_is_finished(place: Place, step: str) -> None:
    before = place.state()
    made = place.backup(verify=False)
    place.change()
    changed = place.state()

    assert place.run_python(RESTORE, str(made.path), step) == KILLED

    with backup_lock(place.data_dir):  # a restore at work is left alone
        assert settle_if_interrupted(place.server, place.data_dir) == ""
    assert settle_if_interrupted(place.server, place.data_dir) == "finished"
    assert place.state() == before
    (kept,) = place.data_dir.glob("before-restore-*")
    assert place.files(kept) == changed[1]
    assert settle_if_interrupted(place.server, place.data_dir) == ""
