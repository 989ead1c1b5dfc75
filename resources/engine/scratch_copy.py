"""A writable copy of the folder that tests run in, as a rule its image's working directory.

It is at the same path, in memory, and thrown away with the tests.
The root of a test container is read-only, and tests write beside themselves (.coverage, snapshots). What the image has
there comes in through standard input, because a tmpfs at that path hides it. Deliberately absent: copies of folders
that are not the application's own, such as / or /usr/lib.
"""

import re
from posixpath import normpath

from resources.engine.client import Engine, ImageFacts

COPIED_MEGABYTES = 128
"""A larger folder stays read-only: it is held in memory here, and counts as the container's there."""
_OF_THE_SYSTEM = (
    *("bin", "boot", "dev", "etc", "lib", "lib64", "proc", "reports", "run", "sbin", "sys"),
    *(f"usr/{name}" for name in ("bin", "include", "lib", "lib32", "lib64", "libexec", "sbin", "share")),
    *(f"usr/local/{name}" for name in ("bin", "etc", "include", "lib", "sbin", "share")),
    *(f"var/{name}" for name in ("backups", "cache", "lock", "log", "mail", "run", "spool", "tmp")),
)
_PLAIN = re.compile(r"/[\w.-]+(?:/[\w.-]+)*")
# In the image's own Python, whatever its version. It starts anew afterwards, to find what was unpacked.
_UNPACK = """
import os, sys, tarfile
start = os.getcwd()
os.chdir(sys.argv.pop(1))
os.chmod(".", 0o755)
archive = tarfile.open(fileobj=sys.stdin.buffer, mode="r|")
archive.extraction_filter = lambda member, path: member
for member in archive:
    member.name = member.name.partition("/")[2]
    if member.islnk():
        member.linkname = member.linkname.partition("/")[2]
    member.mode |= 0o700 if member.isdir() else 0o600
    if member.name and (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        archive.extract(member)
os.chdir(start)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def unpacking(folder: str) -> list[str]:
    """What the container's Python gets before its own arguments: where the copy belongs, which comes from its input."""
    return ["-c", _UNPACK, folder]


def copied_folder(facts: ImageFacts, tests: str) -> str:
    """The folder of an image that tests get a copy of; empty where there is none that is an application's own.

    It is the working directory, or else the folder in it that the tests are in.
    """
    folder = normpath(facts.working_folder or "/")
    below = f"{folder.rstrip('/')}/{normpath(tests).strip('/').partition('/')[0]}"
    return next((path for path in (folder, below) if _is_an_applications(path)), "")


def _is_an_applications(folder: str) -> bool:
    path = f"{folder.lstrip('/')}/"
    inside_out = any(path.startswith(f"{own}/") or f"{own}/".startswith(path) for own in _OF_THE_SYSTEM)
    return bool(_PLAIN.fullmatch(folder)) and folder != "/tmp" and not inside_out


def read_folder(engine: Engine, container: str, folder: str) -> bytes | None:
    """What the image of a container that has not started has in a folder; None where that is too much, or a link.

    Raises EngineError.
    """
    limit = COPIED_MEGABYTES << 20
    done = engine.run("cp", f"{container}:{folder}", "-", check=False, timeout=60, max_output=limit)
    return None if done.returncode != 0 or done.truncated else done.stdout
