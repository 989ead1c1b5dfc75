"""Who wrote commits, by what the commits themselves say. Deliberately absent: a .mailmap, which a commit may set."""

from collections.abc import Sequence
from pathlib import Path

from infraaudit_domain.delivery.approvals import names_of
from infraaudit_domain.errors import RepositoryError, ToolError
from resources.git.program import run_git

_SECONDS = 60.0
_COMMITS = 50_000
_BYTES = 64 * 1024 * 1024
_FORMAT = "%an <%ae>%n%cn <%ce>%n%(trailers:key=Co-authored-by,valueonly)"


def people_of(mirror: Path, new: Sequence[str], known: Sequence[str] = ()) -> frozenset[str]:
    """All that the authors, committers and co-authors of the commits reachable from ``new``, and not from ``known``, go by.

    Raises RepositoryError, for more commits than are read too: nobody may stay out of it unseen.
    """
    lines = "".join(f"{line}\n" for line in (*new, *(f"^{sha}" for sha in known))).encode()
    words = ("log", "--no-show-signature", "-z", f"--max-count={_COMMITS + 1}", f"--format={_FORMAT}", "--stdin")
    try:
        done = run_git(*words, timeout=_SECONDS, folder=mirror, max_output=_BYTES, stdin=lines)
    except ToolError as error:
        raise RepositoryError(f"Who wrote {new[0][:12]} cannot be found: {error}") from error
    entries = done.stdout.decode("utf-8", "replace").split("\0")[:-1]
    if done.truncated or len(entries) > _COMMITS:
        raise RepositoryError(
            f"{new[0][:12]} brings too many commits to find everybody who wrote them: deploy an older one first, or set "
            "approve_own."
        )
    people = {line for entry in entries for line in entry.split("\n") if line.strip()}
    return frozenset(name for person in people for name in _names(person))


def _names(person: str) -> frozenset[str]:
    name, _, address = person.rpartition("<") if "<" in person else (person, "", "")
    return names_of(name.strip(), address.partition(">")[0].strip())
