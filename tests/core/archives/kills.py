"""Kill uninstall and restore at a named point, and judge what the next call makes of what is left."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from platform_core.archives.reading import open_archive
from tests.core.archives.conftest import Ground
from tests.core.archives.ground import facts_of, left_of
from tests.deployments import ROOT, TestDeployment

ARCHIVES = "platform_core.archives"
UNINSTALL_POINTS = (
    (f"{ARCHIVES}.writing:ArchiveWriter.finish", "before"),
    (f"{ARCHIVES}.writing:ArchiveWriter.place", "before"),
    (f"{ARCHIVES}.writing:ArchiveWriter.place", "after"),
    (f"{ARCHIVES}.removal:_remove", "after"),
    (f"{ARCHIVES}.removal:write_lists", "after"),
    (f"{ARCHIVES}.files:remove_files", "before"),
    (f"{ARCHIVES}.files:remove_files", "after"),
)
RESTORE_POINTS = (
    (f"{ARCHIVES}.restoring:_empty", "before"),
    (f"{ARCHIVES}.restoring:_write_ledger", "after"),
    (f"{ARCHIVES}.restoring:restore", "after"),
    (f"{ARCHIVES}.restoring:write_lists", "before"),
    (f"{ARCHIVES}.restoring:write_lists", "after"),
)


def killed(site: TestDeployment, point: tuple[str, str], *words: str) -> bool:
    """Run a call that dies at ``point``; return whether it did."""
    environment = site.environment()
    environment["PYTHONPATH"] = f"{environment['PYTHONPATH']}:{ROOT}"
    done = subprocess.run(
        [sys.executable, "-m", "tests.core.archives.killing", *point, *words],
        cwd=site.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode == -9


def uninstall_after_a_kill(
    ground: Ground, folder: Path, point: tuple[str, str], *, and_restore: bool = True
) -> None:
    """Kill an uninstall; all is there or a whole archive is; the next call completes it and restore gives all back."""
    words = ("plugin", "uninstall", "education", "--confirm", "education", "--json")
    with ground.with_education(folder) as site:
        assert killed(site, point, *words), point
        archives = whole_archives(site)
        gone = left_of(site.database_url) == []
        if gone:
            assert archives, "removed without an archive"
        else:
            assert facts_of(site.database_url) == ground.facts, "half removed"
        listed = "education" in lists_of(site)
        assert not (gone and listed), "a start would make empty tables"

        again = site.call(*words)

        assert again.code == 0 or again.problems[0]["code"] == "unknown_plugin", again.out
        assert left_of(site.database_url) == []
        assert "education" not in lists_of(site)
        assert not (site.folder / "var" / "plugins" / "education").exists()
        archive, rows = max(whole_archives(site), key=lambda one: one[1])
        assert rows == ground.rows
        if not and_restore:
            return
        back = site.call("plugin", "restore", str(archive), "--state", "enabled", "--json")
        assert back.code == 0, back.out
        assert facts_of(site.database_url) == ground.facts


def restore_after_a_kill(ground: Ground, folder: Path, point: tuple[str, str]) -> None:
    """Kill a restore; nothing is there or every row is; the next call completes it."""
    words = ("plugin", "restore", str(ground.archive), "--json")
    with ground.without_education(folder) as site:
        assert killed(site, point, *words), point
        left = left_of(site.database_url)
        if left:
            assert facts_of(site.database_url) == ground.facts, "half restored"
        listed = "education" in lists_of(site)
        assert not (listed and not left), "a start would make empty tables"
        if left and not listed:
            assert [one["code"] for one in site.call("migrate", "--json").problems] == [
                "unlisted_plugin"
            ]

        again = site.call(*words)

        assert again.code == 0, again.out
        assert facts_of(site.database_url) == ground.facts
        assert (site.folder / "var/plugins/education/logos/north.svg").read_text() == "<svg/>"


def whole_archives(site: TestDeployment) -> list[tuple[Path, int]]:
    """Return the archives of the deployment with the rows in each; each has to be whole."""
    found = []
    for file in sorted((site.folder / "var" / "archives").glob("*.zip")):
        with open_archive(file, lambda *_: None) as archive:
            found.append((file, archive.manifest.rows))
    return found


def lists_of(site: TestDeployment) -> list[str]:
    found = tomllib.loads((site.folder / "platform.toml").read_text())["platform"]
    return [*found["plugins"], *found["dormant_plugins"]]
