"""A writable copy of an image's working directory, for tests: at the same path, in memory, thrown away with them.

The root of a test container is read-only, and tests write beside themselves (.coverage, snapshots). What the image has
there comes in through standard input, because a tmpfs at that path hides it. Deliberately absent: copies of folders
that are not the application's own, such as / or /usr.
"""

import re
from posixpath import normpath

from resources.engine.client import Engine, ImageFacts

COPIED_MEGABYTES = 128
"""A larger folder stays read-only: it is held in memory here, and counts as the container's there."""
_NOT_COPIED = (
    "bin",
    "boot",
    "dev",
    "etc",
    "lib",
    "lib64",
    "proc",
    "reports",
    "run",
    "sbin",
    "sys",
    "tmp",
    "usr",
    "var",
)
_PLAIN = re.compile(r"/[\w.-]+(?:/[\w.-]+)*")
# In the image's own Python, whatever its version. It starts anew afterwards, to find what was unpacked.
_UNPACK = """
import os, sys, tarfile
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
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


UNPACK = ["-c", _UNPACK]
"""What the container's Python gets before its own arguments."""


def copied_folder(facts: ImageFacts) -> str:
    """The folder of an image that tests get a copy of; empty where it is not an application's own."""
    folder = normpath(facts.working_folder or "/")
    return "" if not _PLAIN.fullmatch(folder) or folder.split("/")[1] in _NOT_COPIED else folder


def read_folder(engine: Engine, container: str, folder: str) -> bytes | None:
    """What the image of a container that has not started has in a folder; None where that is too much, or a link.

    Raises EngineError.
    """
    limit = COPIED_MEGABYTES << 20
    done = engine.run("cp", f"{container}:{folder}", "-", check=False, timeout=60, max_output=limit)
    return None if done.returncode != 0 or done.truncated else done.stdout
