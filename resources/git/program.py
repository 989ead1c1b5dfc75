"""How the git program is called: no prompts, no hooks, no foreign transports, and time limits.

Objects are read as they are: what a repository or a user's configuration says beside them (replacements, grafts, commit
graphs, attributes, encodings) changes no answer. Deliberately absent: what is asked of a repository (mirror.py).
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
# Git takes a commit's tree and parents from a commit graph unread, and a log's encoding from the user's settings. An empty
# attr.tree is none: Git 2.43 reads attributes from HEAD where it is not set.
_AS_STORED = (
    "-c", "core.commitGraph=false", "-c", "core.attributesFile=/dev/null", "-c", "attr.tree=",
    "-c", "i18n.logOutputEncoding=UTF-8",
)  # fmt: skip
# A dead remote ends a transfer within about half a minute; a slow one may take its time.
_PATIENCE = ("-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=30")
_SSH = "ssh -o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=10 -o ServerAliveCountMax=3"


def git_argv(*words: str) -> list[str]:
    """The words of a git command that runs no hooks and no foreign transport."""
    return ["git", *_SAFE, *_AS_STORED, *_PATIENCE, *words]


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
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_GRAFT_FILE": "/dev/null/no-grafts",  # An empty file would do as well, but for Git's advice on it.
        "GIT_ATTR_NOSYSTEM": "1",
        "LC_ALL": "C.UTF-8",
    }


def run_git(
    *words: str, timeout: float, folder: Path | None = None, memory: int | None = None, **options: Any
) -> process.Completed:
    """Run git to its end, with so many bytes of memory at most; the options are those of process.run. Raises ToolError.

    A missing ``folder`` is reported as git's own error, like a missing commit, and not as a failed start.
    """
    argv = git_argv(*(("-C", str(folder)) if folder else ()), *words)
    if memory is not None:
        # Of data: packs, which are mapped, may be larger.
        argv = ["prlimit", f"--data={memory}", "--", *argv]
    return process.run(argv, timeout=timeout, env=git_environment(), called=f"git {words[0]}", **options)


def without_password(url: str) -> str:
    """A URL without its password."""
    # The last @ before the path ends it: a password may hold one, too.
    return re.sub(r"(://)[^/\s]*@", r"\1", url)
