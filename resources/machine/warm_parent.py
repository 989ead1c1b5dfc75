"""A process that has imported what programs need, and forks one child for each call that it is asked for.

    python -m resources.machine.warm_parent FOLDER NAME IDLE_SECONDS MODULE… -- MODULE…

Those after the dashes are heavy, and imported when a second call shows that there are more to come.
It listens on a Unix socket in a private folder, accepts and forks; it reads nothing and knows nothing of its children,
so that none of them can harm it or grow it. A child takes over the caller's environment, folder and terminal, and
compares the files that were imported here with what they are now. Where one changed it declines, and this process ends,
to be started anew by the caller. Its end costs warmth alone: children are no part of it. Threads are refused, since a
process with threads must not fork.
"""

import atexit
import contextlib
import fcntl
import gc
import importlib
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from resources.machine.imported_files import ImportedFiles
from resources.machine.listening import bound, leave, reap_children, say_ready
from resources.machine.warm import DECLINED, ENDED, STARTED, receive

_SEVERAL = 2
_SECONDS_TO_END = 10


def main() -> None:
    folder, name, idle, *modules = sys.argv[1:]
    leave()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # Who starts us may hold its own signals back.
    began = time.time()
    dashes = modules.index("--")
    _import(modules[:dashes])
    files = ImportedFiles()
    if files.newest() >= began:
        raise SystemExit("A file changed while it was imported.")
    reap_children()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(SystemExit), bound(Path(folder), name) as listener:
        say_ready()
        _serve(listener, float(idle), files, modules[dashes + 1 :])
    os._exit(0)  # Taking the interpreter apart takes longer than the socket's name is missed.


def _import(modules: Sequence[str]) -> None:
    for module in modules:
        importlib.import_module(module)
    if len(os.listdir("/proc/self/task")) > 1:
        raise SystemExit(f"Importing {', '.join(modules)} started threads.")
    gc.collect()
    gc.freeze()


def _serve(listener: socket.socket, idle: float, files: ImportedFiles, heavy: Sequence[str]) -> None:
    signal.signal(signal.SIGTERM, _end)
    calls = 0
    while select.select([listener], [], [], idle)[0]:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _become(connection, files)
        connection.close()
        calls += 1
        if calls == _SEVERAL:
            _import(heavy)


def _end(*_: object) -> NoReturn:
    raise SystemExit(0)


def _become(connection: socket.socket, files: ImportedFiles) -> NoReturn:
    """Do what the caller asks in this child, and end with its exit code."""
    code = 1
    try:
        parent = os.getppid()
        os.setsid()
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        request = receive(connection)
        if files.have_changed():
            _end_and_wait(parent)
            connection.sendall(DECLINED)
            os._exit(0)
        code = _call(connection, request)
    except BaseException:
        traceback.print_exc()
    finally:
        _leave(connection, code)


def _end_and_wait(parent: int) -> None:
    """End the parent before its caller starts another; it may have ended meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        ended = os.pidfd_open(parent)
        if os.getppid() == parent:
            os.kill(parent, signal.SIGTERM)
            select.select([ended], [], [], _SECONDS_TO_END)


def _call(connection: socket.socket, request: dict[str, Any]) -> int:
    os.umask(request["umask"])
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = request["argv"]
    for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        os.dup2(request["descriptors"][number], number)
        if number:
            stream.reconfigure(line_buffering=os.isatty(number) or number == 2)  # type: ignore[union-attr]
    for descriptor in request["descriptors"]:
        os.close(descriptor)
    if request["attached"]:
        _end_with(connection)
    connection.sendall(STARTED + str(os.getpid()).encode() + b"\n")
    module, _, function = request["call"].partition(":")
    try:
        return int(getattr(importlib.import_module(module), function)(*request["arguments"]) or 0)
    except SystemExit as error:
        return _exit_code(error)
    except KeyboardInterrupt:
        return 130


def _exit_code(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    print(error.code, file=sys.stderr)
    return 1


def _end_with(connection: socket.socket) -> None:
    """Have the kernel interrupt this process when the caller ends, whichever way; the parent is not needed for it."""
    fcntl.fcntl(connection, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(connection, fcntl.F_SETSIG, signal.SIGINT)
    fcntl.fcntl(connection, fcntl.F_SETFL, fcntl.fcntl(connection, fcntl.F_GETFL) | os.O_ASYNC)


def _leave(connection: socket.socket, code: int) -> NoReturn:
    """End without taking the interpreter apart, which would touch all that is shared with the parent."""
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    with contextlib.suppress(BaseException):
        connection.sendall(ENDED + str(code).encode() + b"\n")
    os._exit(code)


if __name__ == "__main__":
    main()
