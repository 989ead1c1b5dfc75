"""How the git program is called: no prompts, no hooks, no foreign transports, and time limits.

Deliberately absent: the questions asked of a repository (mirror.py).
"""

import os
import re
from pathlib import Path
from typing import Any

from resources.machine import process

_SAFE = (
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false",
    "-c", "protocol.ext.allow=never", "-c", "gc.auto=0", "-c", "safe.directory=*",
)  # fmt: skip
# A transfer from a dead remote ends within about half a minute; a slow one may take longer.
_PATIENCE = ("-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=30")
_SSH = "ssh -o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=10 -o ServerAliveCountMax=3"


def git_argv(*words: str) -> list[str]:
    """The words of a git command that runs no hooks and no foreign transport."""
    return ["git", *_SAFE, *_PATIENCE, *words]


def git_environment() -> dict[str, str]:
    """Our environment without Git's own variables, with every prompt disabled."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or "CERT" in name or "SSL" in name
    }
    ssh = os.environ.get("GIT_SSH_COMMAND", _SSH)
    return inherited | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": ssh,
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C.UTF-8",
    }


def run_git(*words: str, timeout: float, folder: Path | None = None, **options: Any) -> process.Completed:
    """Run git to its end; the options are those of process.run. Raises ToolError.

    A missing ``folder`` is reported as git's own error, like a missing commit, and not as a failed start.
    """
    argv = git_argv(*(("-C", str(folder)) if folder else ()), *words)
    return process.run(argv, timeout=timeout, env=git_environment(), called=f"git {words[0]}", **options)


def without_password(url: str) -> str:
    """A URL without its password."""
    return re.sub(r"(://)[^/@]*@", r"\1", url)
