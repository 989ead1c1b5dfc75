"""The system calls that a box is made with, which Python 3.11 does not have. Each raises OSError."""

import ctypes
import errno
import os
import signal
import time

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
NEW_MOUNTS, NEW_NAMES, NEW_IPC, NEW_USERS = 0x00020000, 0x04000000, 0x08000000, 0x10000000
NEW_PROCESSES, NEW_NETWORK, NEW_CGROUP = 0x20000000, 0x40000000, 0x02000000
READ_ONLY, NO_SETUID, NO_DEVICES, NO_PROGRAMS, REMOUNT, BIND = 1, 2, 4, 8, 32, 4096
RECURSIVE, PRIVATE = 16384, 1 << 18
_DETACH = 2
_TRIES, _PAUSE_SECONDS = 20, 0.05
MACHINES = tuple(_PIVOT_ROOT)


def unshare(flags: int) -> None:
    """Leave the namespaces of these kinds for new ones.

    Tried again for a moment where the kernel calls that invalid: it does so while anything else holds on to the
    process, and one start in forty was lost to it.
    """
    for left in reversed(range(_TRIES)):
        try:
            _call("unshare", flags)
            return
        except OSError as error:
            if error.errno != errno.EINVAL or not left:
                raise
            time.sleep(_PAUSE_SECONDS)


def mount(source: str, target: str, kind: str | None = None, flags: int = 0, options: str | None = None) -> None:
    """mount(2)."""
    words = (source.encode(), target.encode(), kind and kind.encode())
    _call("mount", *words, ctypes.c_ulong(flags), options and options.encode())


def bind(source: str, target: str) -> None:
    """Show a file or folder, with what is mounted below it, at another place."""
    mount(source, target, None, BIND | RECURSIVE)


def enter_root(folder: str) -> None:
    """Make a mounted folder the root, and let go of the old one."""
    os.chdir(folder)
    os.mkdir("old", 0o700)
    _call("syscall", _PIVOT_ROOT[os.uname().machine], b".", b"old")
    os.chdir("/")
    _call("umount2", b"/old", _DETACH)
    os.rmdir("/old")


def die_with_parent() -> None:
    """Be killed when the thread that forked this process ends. A change of user undoes it."""
    _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL.value)


def _call(name: str, *arguments: object) -> None:
    if getattr(_LIBC, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
