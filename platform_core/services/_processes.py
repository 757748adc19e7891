"""Tell the server of one data directory, and what is left of it, from unrelated processes."""

import os
import signal
import subprocess  # nosec B404
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_ON_LINUX = sys.platform == "linux"


@dataclass(frozen=True)
class Postmaster:
    """What a live server says about itself in its `postmaster.pid`."""

    pid: int
    port: int
    socket_folder: str
    status: str


def recorded_pid(data: Path) -> int | None:
    """Return the process id in `postmaster.pid`, be it alive or not."""
    lines = _pid_file_lines(data)
    try:
        return abs(int(lines[0])) if lines else None
    except ValueError:
        return None


def recorded_socket_folder(data: Path) -> str | None:
    """Return the socket folder in `postmaster.pid`, be the server alive or not."""
    lines = _pid_file_lines(data)
    return lines[4] or None if len(lines) > 4 else None


def live_postmaster(data: Path) -> Postmaster | None:
    """Return the server that is running on the data directory.

    A process that merely got the recorded id after a crash is not taken for it. `status` is
    `starting` until the server has written its whole record.
    """
    lines = _pid_file_lines(data)
    pid = recorded_pid(data)
    if pid is None or not _serves(pid, data):
        return None
    if len(lines) < 8:
        return Postmaster(pid, 0, "", "starting")
    port = int(lines[3]) if lines[3].isdigit() else 0
    return Postmaster(pid, port, lines[4], lines[7].strip())


def alive(pid: int) -> bool:
    """Say whether any process, also another user's or a zombie, has the id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def send(pid: int, number: signal.Signals, data: Path) -> None:
    """Send a signal to a process of the data directory, never to one that reused its id."""
    if not hasattr(os, "pidfd_open"):
        if _serves(pid, data):
            os.kill(pid, number)
        return
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if _serves(pid, data):
            signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return
    finally:
        os.close(descriptor)


def wait_gone(pid: int, data: Path, deadline: float) -> bool:
    """Wait until the process no longer serves the data directory; False at the deadline."""
    while _serves(pid, data):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def end_launched(process: "subprocess.Popen[bytes]", *, patience_s: float = 10) -> None:
    """End a server that was launched a moment ago, and return when it is gone.

    It is asked again and again: what becomes the server may lose a signal while it changes its user.
    """
    deadline = time.monotonic() + patience_s
    while process.returncode is None and time.monotonic() < deadline:
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    if process.returncode is None:
        process.kill()
        process.wait()


def end_orphans(data: Path, *, grace_s: float = 5) -> None:
    """End the server processes of a data directory that outlived their postmaster.

    They leave by themselves unless busy in a query. Only found on Linux; elsewhere the new
    server refuses to start while they hold its shared memory.
    """
    for number, patience_s in ((None, 0.5), (signal.SIGQUIT, grace_s), (signal.SIGKILL, grace_s)):
        for pid in _processes_of(data):
            if number is not None:
                send(pid, number, data)
        deadline = time.monotonic() + patience_s
        while _processes_of(data):
            if time.monotonic() >= deadline:
                break
            time.sleep(0.02)
        else:
            return


def _pid_file_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text("utf-8", "surrogateescape").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []


def _processes_of(data: Path) -> list[int]:
    if not _ON_LINUX or not data.exists():
        return []
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [pid for pid in pids if _serves(pid, data)]


def _serves(pid: int, data: Path) -> bool:
    """Say whether the process is a PostgreSQL server process working in the data directory."""
    if not _ON_LINUX:
        return _command_line_names(pid, data)
    process = Path("/proc", str(pid))
    try:
        if (process / "comm").read_text().strip() != "postgres":
            return False
        return (process / "cwd").samefile(data)
    except OSError:  # gone, a zombie, or another user's: none of them is ours
        return False


def _command_line_names(pid: int, data: Path) -> bool:
    ps = ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]
    shown = subprocess.run(ps, capture_output=True, check=False)  # noqa: S603 # nosec B603
    return b"postgres" in shown.stdout and os.fsencode(data) in shown.stdout
