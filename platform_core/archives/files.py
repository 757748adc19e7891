"""A plugin's own files: those below ``plugins/<slug>/`` in the deployment's data folder."""

from __future__ import annotations

import secrets
import shutil
import stat
from pathlib import Path

from platform_core.registry.problems import PluginErrors, PluginProblem

FOLDER = "plugins"


def folder_of(data_dir: Path, slug: str) -> Path:
    """Return the folder that belongs to the plugin; it need not exist."""
    return data_dir / FOLDER / slug


def files_of(data_dir: Path, slug: str) -> list[Path]:
    """Return the plugin's files in a stable order; raises PluginErrors for links and whatever else is no plain file."""
    folder = folder_of(data_dir, slug)
    found, odd = [], []
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            found.append(path)
        elif not stat.S_ISDIR(mode):
            odd.append(str(path.relative_to(folder)))
    if odd or folder.is_symlink():
        raise PluginErrors(
            [
                PluginProblem(
                    plugin=slug,
                    code="file_not_plain",
                    place=f"{FOLDER}/{slug}",
                    message=f"It holds something that is no plain file: {', '.join(odd) or 'it is a link'}.",
                    way_out="Move that elsewhere; an archive holds plain files only.",
                )
            ]
        )
    return found


def remove_files(data_dir: Path, slug: str) -> None:
    """Remove the plugin's folder; it disappears in one step."""
    folder = folder_of(data_dir, slug)
    if not folder.exists():
        return
    going = folder.with_name(f".{slug}.{secrets.token_hex(4)}.removed")
    folder.rename(going)
    shutil.rmtree(going)
