"""Give up root for good, then execute a program (run as a script by a process that is root).

Usage: python -I -S _unprivileged.py UID GID PATH… -- PROGRAM ARGUMENT…

PATH are files and folders the program has to read. When the account can reach all of them, the
program gets no privilege at all. When one lies below a folder closed to the account (a 0700 home
of root), the program keeps one capability, CAP_DAC_READ_SEARCH: it may traverse and read, but
neither write nor execute what the account could not. No file's mode or owner is touched.

Only the standard library is used, as the interpreter runs without site-packages.
"""

import ctypes
import os
import sys
from collections.abc import Sequence

REFUSED = 113
"""Exit status when privileges could not be arranged; the reason is on standard error."""

# linux/capability.h, linux/prctl.h, linux/securebits.h
_CAP_DAC_READ_SEARCH = 2
_CAPABILITY_VERSION_3 = 0x20080522
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_SET_SECUREBITS = 28
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_SECBIT_NO_SETUID_FIXUP = 1 << 2


def main(arguments: Sequence[str]) -> int:
    """Become the account named by the arguments and execute the program; return only on failure."""
    uid, gid = int(arguments[0]), int(arguments[1])
    separator = arguments.index("--")
    paths, command = arguments[2:separator], arguments[separator + 1 :]
    try:
        os.setgroups([])
        os.setgid(gid)
        blocked = _first_unreachable(uid, paths)
        if blocked is None:
            os.setuid(uid)
        else:
            _keep_read_access(uid, blocked)
        if sys.platform == "linux":
            _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        os.execv(command[0], list(command))  # noqa: S606 # nosec B606
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]} as user id {uid}: {error}\n")
    return REFUSED


def _first_unreachable(uid: int, paths: Sequence[str]) -> str | None:
    """Return the first path the account cannot read, judged by the kernel rather than by modes."""
    os.seteuid(uid)
    try:
        for path in paths:
            try:
                os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            except PermissionError:
                return path
        return None
    finally:
        os.seteuid(0)


def _keep_read_access(uid: int, blocked: str) -> None:
    """Become the account, holding CAP_DAC_READ_SEARCH across the coming execution.

    access(2) ignores the capabilities of other users than root unless "no setuid fixup" is set,
    and the PostgreSQL programs look at themselves through access(2).
    """
    if sys.platform != "linux":
        raise PermissionError(f"{blocked} is closed to this account")
    try:
        _prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP)
        _empty_the_bounding_set()
        os.setuid(uid)
        _set_only_capability(_CAP_DAC_READ_SEARCH)
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_READ_SEARCH)
    except OSError as error:
        raise PermissionError(
            f"{blocked} is closed to this account, and the capability to read it anyway"
            f" (CAP_DAC_READ_SEARCH) is not available here ({error.strerror})"
        ) from error


def _empty_the_bounding_set() -> None:
    """Drop every capability but the one to keep from what any later program could gain."""
    for capability in range(64):
        if capability == _CAP_DAC_READ_SEARCH:
            continue
        if _libc().prctl(_PR_CAPBSET_READ, capability, 0, 0, 0) == 1:
            _prctl(_PR_CAPBSET_DROP, capability)


def _set_only_capability(capability: int) -> None:
    """Make the capability the only permitted, effective and inheritable one."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    mask = 1 << capability
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    if _libc().capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _prctl(option: int, *values: int) -> None:
    """Call prctl(2) and raise OSError when it refuses."""
    padded = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)][:4]
    if _libc().prctl(option, *padded) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
