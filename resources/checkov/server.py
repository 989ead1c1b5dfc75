"""The primed parent: imports Checkov once, then forks a limited child for every request.

Without arguments it serves who started it, on its standard input, and ends with that. With a folder and a name it
listens there for all scanners of an installation, in a fork of its own for each, so that it stays as it was primed; it
ends when nobody came for some time, and after many. Requests and answers are lines of JSON. Single-threaded, so that
forking is safe; its environment was scrubbed by the process that started it. Deliberately absent: any data of a commit
in this process. It never reads a tree.
"""

import contextlib
import ctypes
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from resources.checkov import child
from resources.machine.listening import bound, leave, reap_children, say_ready

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CALLERS = 1000
_MOST_DESCRIPTORS = 1024
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000


def main() -> None:
    if sys.argv[1:]:
        leave()
        os.chdir(sys.argv[1])  # Checkov reads .checkov.yaml where it stands, and what that names is code.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    silence(os.environ.get("INFRAAUDIT_SCAN_LOG", os.devnull))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    left_out = child.prime()
    is_offline = leave_the_network()
    gc.collect()
    gc.freeze()
    hello = {"ready": True, "offline": is_offline, "left_out": left_out}
    if sys.argv[1:]:
        folder, name, idle = sys.argv[1:]
        with bound(Path(folder), name) as listener:
            os.dup2(answers.fileno(), 1)
            say_ready()
            answers.close()
            _listen(listener, float(idle), hello)
    else:
        _say(answers, hello | {"parent": os.getpid()})
        while line := sys.stdin.readline():
            _say(answers, serve(json.loads(line)))


def _listen(listener: socket.socket, idle: float, hello: dict[str, Any]) -> None:
    """Serve each caller in a fork, which ends with it."""
    reap_children()
    for _ in range(_CALLERS):
        if not select.select([listener], [], [], idle)[0]:
            return
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            with contextlib.suppress(OSError, ValueError), connection.makefile("rw", encoding="utf-8") as stream:
                _say(stream, hello | {"parent": os.getpid()})
                while line := stream.readline():
                    _say(stream, serve(json.loads(line), connection))
            os._exit(0)
        connection.close()


def serve(request: dict[str, Any], caller: socket.socket | None = None) -> dict[str, Any]:
    """Fork a child for a request, wait for its end, and report how it ended. It is killed when its caller is gone."""
    started = time.monotonic()
    with tempfile.TemporaryFile(dir=request["scratch"]) as errors:
        pid = os.fork()
        if pid == 0:
            _run_child(request, errors.fileno())
        status, rusage = _wait(pid, request["seconds"], caller)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        errors.seek(max(0, errors.seek(0, os.SEEK_END) - 4000))
        words = errors.read().decode("utf-8", "replace")
    return {
        "outcome": _outcome(status),
        "words": words,
        "seconds": time.monotonic() - started,
        "cpu": rusage.ru_utime + rusage.ru_stime if rusage else 0.0,
        "memory": rusage.ru_maxrss * 1024 if rusage else 0,
    }


def _run_child(request: dict[str, Any], errors: int) -> None:
    code = 70
    try:
        os.setsid()
        os.dup2(errors, 2)
        os.closerange(3, _MOST_DESCRIPTORS)  # Connections of callers are not for what reads a commit.
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        limit(request)
        child.run(request)
        code = 0
    except MemoryError:
        code = 71
    except BaseException as error:
        with contextlib.suppress(BaseException):
            os.write(2, f"{type(error).__name__}: {error}".encode("utf-8", "replace")[:2000])
    finally:
        os._exit(code)


def limit(request: dict[str, Any]) -> None:
    """Limit this process: exceeding a limit ends the scan and does not harm the host."""
    cpu = int(request["cpu_seconds"])
    for what, soft, hard in (
        (resource.RLIMIT_AS, request["memory_bytes"], request["memory_bytes"]),
        (resource.RLIMIT_CPU, cpu, cpu + 5),
        (resource.RLIMIT_FSIZE, request["report_bytes"], request["report_bytes"]),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NOFILE, 1024, 1024),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (soft, hard))


def _wait(pid: int, seconds: float, caller: socket.socket | None) -> tuple[int | None, Any]:
    """The child's wait status, None when it was killed at the wall limit or because its caller is gone."""
    descriptor = os.pidfd_open(pid)
    try:
        # A caller that waits for its answer sends nothing: what can be read is its end.
        watched = [descriptor] if caller is None else [descriptor, caller.fileno()]
        has_ended = descriptor in select.select(watched, [], [], seconds)[0]
    finally:
        os.close(descriptor)
    if not has_ended:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _, status, rusage = os.wait4(pid, 0)
    return (status if has_ended else None), rusage


def _outcome(status: int | None) -> str:
    if status is None:
        return "time"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return "cpu" if number == signal.SIGXCPU else f"signal {number}"
    return {0: "done", 71: "memory"}.get(os.WEXITSTATUS(status), "crash")


def leave_the_network() -> bool:
    """Move into an empty network namespace where the kernel permits it; children inherit it."""
    return any(_LIBC.unshare(flags) == 0 for flags in (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET))


def silence(path: str) -> None:
    """Keep what Checkov prints out of the answers."""
    nowhere = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _say(stream: Any, answer: dict[str, Any]) -> None:
    stream.write(json.dumps(answer) + "\n")
    stream.flush()


if __name__ == "__main__":
    main()
