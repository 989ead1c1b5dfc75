"""The rules of the CODEOWNERS file of a branch, and those that were in force when a commit was made.

A commit's own file is not used: it could name anybody. Deliberately absent: which files they are asked about.
"""

from infraaudit_domain.commits import Commit
from infraaudit_domain.errors import RepositoryError
from infraaudit_domain.reporting.owners import OWNER_FILES, Rule, parse_owners
from resources.git.mirror import Mirror

_FILE_BYTES = 64 * 1024


def owner_rules(mirror: Mirror, branch: str) -> tuple[Rule, ...]:
    """The rules as the tip of a branch has them; none where the file is not there, cannot be read, or is too long."""
    try:
        return _rules_at(mirror, mirror.branches().get(branch))
    except RepositoryError:  # Who asks has more to say, also where no owners can be found.
        return ()


def owner_rules_before(mirror: Mirror, branch: str, commit: Commit) -> tuple[Rule, ...]:
    """The rules as the first parent of a commit of the branch has them, and of any other commit as its tip does."""
    try:
        tip = mirror.branches().get(branch)
        if tip and mirror.is_ancestor(commit.sha, tip):
            return _rules_at(mirror, next(iter(commit.parents), None))
        return _rules_at(mirror, tip)
    except RepositoryError:
        return ()


def _rules_at(mirror: Mirror, sha: str | None) -> tuple[Rule, ...]:
    found = (mirror.read(sha, path, _FILE_BYTES) for path in OWNER_FILES) if sha else iter(())
    content = next((file for file in found if file is not None), b"")
    return parse_owners(content.decode("utf-8", "replace"))
