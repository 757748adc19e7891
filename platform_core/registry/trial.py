"""Boot a set of plugins in a process of its own, for what it is or for what is wrong with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from platform_core.registry.endings import Ending
from platform_core.registry.holding import Standings
from platform_core.registry.lists import Lists
from platform_core.registry.problems import PluginErrors, PluginProblem

MODULE = "platform_core.registry.snapshot"
BOOT_TIMEOUT_S = 300
WITHOUT_DATABASE = "--without-database"
WITH_CONTENTS = "--with-contents"
WITH_PLACEHOLDERS = "--with-placeholders"
HELD_BACK = "--held-back"
"""With the plugins to hold back as JSON: report only what is wrong with the rest."""

Snapshot = Mapping[str, Any]


def take_snapshots(
    sets: Sequence[Lists],
    *,
    with_database: bool = True,
    first_on_path: Path | None = None,
    contents: bool = False,
    placeholders: bool = False,
) -> list[Snapshot]:
    """Boot each set of plugins in a process of its own, side by side, and return their reports.

    What is in the folder ``first_on_path`` comes before what is installed. With ``contents`` the report holds all that
    the ledger would keep. With ``placeholders`` a required setting that has no value gets one for the look, so that it
    can be told instead of stopping the boot.
    """
    options = [] if with_database else [WITHOUT_DATABASE]
    options += [WITH_CONTENTS] if contents else []
    options += [WITH_PLACEHOLDERS] if placeholders else []
    with ExitStack() as stack:
        trials = [stack.enter_context(_start(lists, options, first_on_path)) for lists in sets]
        return [trial.report() for trial in trials]


def try_boot(
    lists: Lists, held: Standings, environ: Mapping[str, str]
) -> tuple[PluginProblem, ...]:
    """Boot the set with exactly the plugins ``held`` back, without database, and return what is wrong with it.

    ``DJANGO_SETTINGS_MODULE`` has to be set; it is imported from the same path as in this process.
    """
    environment = _with_lists({**os.environ, **environ}, lists)
    environment["PYTHONPATH"] = os.pathsep.join(path or os.curdir for path in sys.path)
    with _Trial(environment, [HELD_BACK, json.dumps(dict(held))]) as trial:
        return problems_of(trial.report())


def require_boot(snapshot: Snapshot) -> None:
    """Raise PluginErrors with the problems of a set that does not boot."""
    if not snapshot.get("ok"):
        raise PluginErrors(problems_of(snapshot))


def require_unheld(snapshot: Snapshot, *, known: Snapshot) -> None:
    """Raise PluginErrors when quarantine holds plugins back in ``snapshot`` that it does not in ``known``."""
    before = {one["slug"] for one in known.get("held_back", ())}
    found = [one for one in snapshot.get("held_back", ()) if one["slug"] not in before]
    problems = [PluginProblem(**problem) for one in found for problem in one["problems"]]
    if problems:
        raise PluginErrors(problems)


def problems_of(snapshot: Snapshot) -> tuple[PluginProblem, ...]:
    """Return the problems that a snapshot reports."""
    return tuple(PluginProblem(**problem) for problem in snapshot.get("problems", ()))


def _start(lists: Lists, options: list[str], first: Path | None) -> _Trial:
    environment = _with_lists(os.environ, lists)
    environment.pop("PLATFORM_SAFE_MODE_FILE", None)
    environment["PLATFORM_SAFE_MODE"] = "false"  # the set as it is meant to run
    python = [sys.executable]
    if first is not None:
        python.append("-P")  # else the working directory would come before it
        inherited = filter(None, [environment.get("PYTHONPATH")])
        environment["PYTHONPATH"] = os.pathsep.join([str(first), *inherited])
    return _Trial(environment, options, python)


def _with_lists(environ: Mapping[str, str], lists: Lists) -> dict[str, str]:
    names = ("PLATFORM_PLUGINS", "PLATFORM_DORMANT_PLUGINS")
    environment = {
        name: value for name, value in environ.items() if name.removesuffix("_FILE") not in names
    }
    for name, slugs in zip(names, (lists.plugins, lists.dormant), strict=True):
        environment[name] = json.dumps(list(slugs))
    return environment


class _Trial:
    """A process that boots a set, and what it tells of its steps meanwhile; ended with the block."""

    def __init__(
        self, environment: Mapping[str, str], arguments: Sequence[str], python: Sequence[str] = ()
    ) -> None:
        reader, writer = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
                [*(python or [sys.executable]), "-m", MODULE, str(writer), *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                pass_fds=[writer],
                text=True,
                encoding="utf-8",
            )
        except BaseException:  # Ctrl-C too: no pipe stays open
            os.close(reader)
            raise
        finally:
            os.close(writer)
        self._told = b""
        self._listener = threading.Thread(target=self._listen, args=[reader], daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def report(self) -> Snapshot:
        """Wait for the report and return it, or one that says how the process ended without any."""
        try:
            text, _ = self._process.communicate(timeout=BOOT_TIMEOUT_S)
            found: Snapshot = json.loads(text)
        except subprocess.TimeoutExpired:
            return _failed(f"The start took longer than {BOOT_TIMEOUT_S} s.")
        except json.JSONDecodeError:
            return self._ended()
        return found

    def _listen(self, reader: int) -> None:
        with os.fdopen(reader, "rb", buffering=0) as stream:
            while said := stream.read(65_536):
                self._told += said

    def _ended(self) -> Snapshot:
        self._listener.join(timeout=1)  # what the process has left behind may hold the pipe open
        ending = Ending(self._told.decode("utf-8", "replace"), self._process.returncode)
        problem = ending.problem()
        if problem is None:
            code = self._process.returncode
            return _failed(f"The process that starts the set ended with code {code}.")
        return {"ok": False, "problems": [problem.as_dict()]}


def _failed(message: str) -> Snapshot:
    problem = PluginProblem(
        plugin="",
        code="boot_failed",
        message=message,
        way_out="Look at what it wrote to standard error, and repair or leave out that plugin.",
    )
    return {"ok": False, "problems": [problem.as_dict()]}
