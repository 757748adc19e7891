"""What was found when sets of plugins were tried out, kept in the data folder until one of the set changes."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, get_args

import platform_core
from platform_core.durable import replace_private_file
from platform_core.registry.discovery import Candidate, Candidates
from platform_core.registry.holding import Standing
from platform_core.registry.lists import Lists
from platform_core.registry.problems import PluginErrors, PluginProblem

FILE_NAME = "quarantine.json"
KEPT = 8
"""How many sets are remembered: the deployment's own, and those that were planned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is wrong with a plugin, and how it is held back for it."""

    standing: Standing
    problems: tuple[PluginProblem, ...]


Verdict = Mapping[str, Case]


def fingerprint(
    lists: Lists,
    candidates: Candidates,
    *,
    environ: Mapping[str, str],
    context: Any,
    secret: str,
) -> str:
    """Return a digest that changes when a plugin that is listed may behave differently.

    It covers core, interpreter, lists, the distributions on the path, each listed plugin's version with size and time
    of its Python files, its variables, and ``context``. Settings may be secret, so it is keyed with ``secret``.
    """
    slugs = (*lists.plugins, *lists.dormant)
    facts = [
        platform_core.__version__,
        sys.version,
        lists.as_dict(),
        sorted(_distributions()),
        {slug: [_candidate(one) for one in candidates.get(slug, ())] for slug in slugs},
        {
            name: [value, _stamp(Path(value)) if name.endswith("_FILE") else None]
            for name, value in environ.items()
            if name.startswith("PLUGIN_")
        },
        context,
    ]
    text = json.dumps(facts, sort_keys=True, default=str)
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _distributions() -> Iterator[str]:
    for folder in dict.fromkeys(sys.path):
        try:
            names = os.listdir(folder or os.curdir)  # noqa: PTH208  (names only, of large folders)
        except OSError:  # not every entry of the path is a folder
            continue
        yield from (name for name in names if name.endswith((".dist-info", ".egg-info")))


def _candidate(candidate: Candidate) -> list[Any]:
    top, *inner = candidate.package.split(".")
    spec = PathFinder.find_spec(top)  # imports nothing
    folders = (spec.submodule_search_locations if spec else None) or ()
    files = {
        str(file): _stamp(file) for folder in folders for file in Path(folder, *inner).rglob("*.py")
    }
    return [candidate.distribution, candidate.version, candidate.value, files]


def _stamp(file: Path) -> list[int]:
    try:
        found = file.stat()
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns]


@contextmanager
def one_at_a_time(data_dir: Path) -> Iterator[None]:
    """Let one process at a time try a set out, so that workers that start together wait for one answer.

    Raises PluginErrors when the data folder cannot be written.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(data_dir / f"{FILE_NAME}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _not_writable(data_dir, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def kept_verdict(data_dir: Path, key: str) -> Verdict | None:
    """Return what was found for the set with this fingerprint, or None when it was never tried."""
    for one in reversed(_read(data_dir)):
        if one.key == key:
            return one.held
    return None


def last_verdict(data_dir: Path, lists: Lists) -> Verdict:
    """Return what was found last for these lists, whatever has changed since."""
    for one in reversed(_read(data_dir)):
        if one.lists == lists.as_dict():
            return one.held
    return {}


def keep_verdict(data_dir: Path, key: str, lists: Lists, verdict: Verdict) -> None:
    """Write what was found, whole or not at all, for this user only. Raises PluginErrors when it cannot be written."""
    known = [one for one in _read(data_dir) if one.key != key][-KEPT + 1 :]
    new = _Entry(key=key, lists=lists.as_dict(), held=verdict)
    document = [asdict(one) for one in (*known, new)]
    try:
        replace_private_file(data_dir / FILE_NAME, json.dumps(document).encode())
    except OSError as error:
        raise _not_writable(data_dir, error) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """What was found for one set."""

    key: str
    lists: Mapping[str, Any]
    held: Verdict


def _read(data_dir: Path) -> Sequence[_Entry]:
    """Return what is remembered; nothing when the file is none of this release's, so that sets are tried out again."""
    try:
        found = json.loads((data_dir / FILE_NAME).read_text("utf-8"))
        return [
            _Entry(key=one["key"], lists=one["lists"], held=_verdict(one["held"])) for one in found
        ]
    except (OSError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return ()


def _verdict(held: Mapping[str, Any]) -> Verdict:
    found = {
        slug: Case(
            standing=case["standing"],
            problems=tuple(PluginProblem(**problem) for problem in case["problems"]),
        )
        for slug, case in held.items()
    }
    if not all(case.standing in get_args(Standing) for case in found.values()):
        raise ValueError("unknown standing")
    return found


def _not_writable(data_dir: Path, error: OSError) -> PluginErrors:
    problem = PluginProblem(
        plugin="",
        code="data_folder_not_writable",
        place=str(data_dir / FILE_NAME),
        message=f"What quarantine finds cannot be kept: {error.strerror or error}.",
        way_out="Let the deployment's user write its data folder.",
    )
    return PluginErrors([problem])
