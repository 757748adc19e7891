"""Let a plugin be discovered from its source folder, before it is installed."""

from __future__ import annotations

import importlib
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from platform_core.registry.discovery import ENTRY_POINT_GROUP, discover


def expose_source_project(root: Path, metadata_folder: Path) -> bool:
    """Make the plugin whose ``pyproject.toml`` lies in ``root`` discoverable, unless one of its slug is installed.

    Its metadata is written to ``metadata_folder``, which joins the import path of this process and its children, as
    ``root`` does. Return whether that was needed.
    """
    project = _project(root / "pyproject.toml")
    entry_points = project.get("entry-points", {}).get(ENTRY_POINT_GROUP, {})
    if not entry_points or not project.get("name") or set(entry_points) & set(discover()):
        return False
    _write_metadata(project, entry_points, metadata_folder)
    for folder in (str(metadata_folder), str(root)):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    inherited = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    added = [path for path in (str(root), str(metadata_folder)) if path not in inherited]
    os.environ["PYTHONPATH"] = os.pathsep.join([*added, *inherited])
    importlib.invalidate_caches()
    return True


def write_source_metadata(root: Path, metadata_folder: Path) -> str | None:
    """Write the metadata of the plugin whose ``pyproject.toml`` lies in ``root``; return its slug, None without one."""
    project = _project(root / "pyproject.toml")
    entry_points = project.get("entry-points", {}).get(ENTRY_POINT_GROUP, {})
    if not entry_points or not project.get("name"):
        return None
    _write_metadata(project, entry_points, metadata_folder)
    return str(next(iter(entry_points)))


def _project(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return found


def _write_metadata(
    project: dict[str, Any], entry_points: dict[str, str], metadata_folder: Path
) -> None:
    version = str(project.get("version", "0"))
    stem = canonicalize_name(project["name"]).replace("-", "_")
    folder = metadata_folder / f"{stem}-{version}.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {version}"]
    lines += [f"Summary: {project.get('description', '')}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in project.get("dependencies", ())]
    (folder / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
    named = [f"{slug} = {value}" for slug, value in entry_points.items()]
    text = "\n".join([f"[{ENTRY_POINT_GROUP}]", *named]) + "\n"
    (folder / "entry_points.txt").write_text(text, encoding="utf-8")
