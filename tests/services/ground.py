"""Let tests act as root and as a plain user, in folders of their own."""

import codecs
import os
import pickle
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psycopg

from platform_core.services import EmbeddedPostgres, ServerInfo
from platform_core.services._binaries import find_binaries

Result = TypeVar("Result")

IS_ROOT = os.geteuid() == 0
FAST: Mapping[str, str] = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "20"}


@dataclass(frozen=True)
class Ground:
    """A folder, and the account that works in it."""

    path: Path
    uid: int
    wheel: Path | None = None

    def run(self, behaviour: Callable[[], Result]) -> Result:
        """Return what the function returns when the account calls it, in a process of its own."""
        if self.uid == os.geteuid():
            return behaviour()
        codecs.lookup("ascii")  # loaded now: the account may not reach the standard library
        receiving, sending = os.pipe()
        child = os.fork()
        if child == 0:
            self._answer(behaviour, sending)
        os.close(sending)
        with os.fdopen(receiving, "rb") as file:
            answer = file.read()
        os.waitpid(child, 0)
        result, failure = pickle.loads(answer)
        assert failure is None, failure
        return result  # type: ignore[no-any-return]

    def _answer(self, behaviour: Callable[[], Result], sending: int) -> None:
        """Drop to the account, write the pickled outcome to the pipe and end the process."""
        result, failure = None, None
        try:
            os.setgroups([])
            os.setgid(pwd.getpwuid(self.uid).pw_gid)
            os.setuid(self.uid)
            if self.wheel:
                sys.path.insert(0, str(self.wheel))
            result = behaviour()
        except BaseException:  # every outcome has to reach the parent, also SystemExit
            failure = traceback.format_exc()
        with os.fdopen(sending, "wb") as file:
            pickle.dump((result, failure), file)
        os._exit(0)


def postgres(folder: Path, **settings: str) -> EmbeddedPostgres:
    """Return a launcher with settings that make tests quick."""
    return EmbeddedPostgres(folder, settings={**FAST, **settings})


def copy_wheel(destination: Path) -> Path:
    """Copy the programs of the installed wheel into a folder that can stand on `sys.path`."""
    root = find_binaries().root
    package = destination / root.parent.name
    for part in ("bin/postgres", "bin/initdb"):
        (package / root.name / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / part, package / root.name / part)
    for part in ("lib/postgresql", "share"):
        shutil.copytree(root / part, package / root.name / part)
    (package / "__init__.py").write_text('raise AssertionError("must not be imported")\n')
    libraries = root.parent.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, destination / libraries.name)
    return destination


def new_ground(kind: str, wheel: Path | None = None) -> Ground:
    """Create the folder of an account; `closed` and `open` tell whether others may enter it."""
    path = Path(tempfile.mkdtemp(prefix="ground-", dir="/tmp"))
    uid = os.geteuid()
    if kind == "plain user" and IS_ROOT:
        uid = pwd.getpwnam("nobody").pw_uid
        os.chown(path, uid, -1)
    if kind == "root, open folder":
        path.chmod(0o755)
    return Ground(path, uid, wheel)


def clear(ground: Ground) -> None:
    """End every server below the folder and remove it."""
    for record in ground.path.rglob("postmaster.pid"):
        EmbeddedPostgres(record.parent.parent).stop(mode="immediate")
    shutil.rmtree(ground.path)


KINDS = ["root, closed folder", "root, open folder", "plain user"] if IS_ROOT else ["plain user"]


def ask(info: ServerInfo, question: str) -> object:
    with psycopg.connect(info.url()) as connection:
        row = connection.execute(question.encode()).fetchone()
    return row and row[0]


def kill_hard(info: ServerInfo) -> None:
    os.kill(info.pid, signal.SIGKILL)
    wait_until(lambda: EmbeddedPostgres(Path(info.host).parent).running() is None)


def wait_until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def modes_below(path: Path) -> dict[str, tuple[int, int, int]]:
    """Return the mode and owner of a folder and of everything in and above it."""
    seen = [path, *path.parents, *path.rglob("*")]
    return {str(p): (s.st_mode, s.st_uid, s.st_gid) for p in seen for s in [p.lstat()]}


def in_another_process(code: str, folder: Path) -> "subprocess.Popen[str]":
    """Run code that finds a launcher named `server` for the folder."""
    setup = (
        "import pathlib, sys, time; from platform_core.services import EmbeddedPostgres;"
        f"server = EmbeddedPostgres(pathlib.Path(sys.argv[1]), settings={dict(FAST)!r});"
    )
    return subprocess.Popen(
        [sys.executable, "-c", setup + code, str(folder)],
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.defpath},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
