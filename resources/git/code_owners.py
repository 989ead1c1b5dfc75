"""The rules of the CODEOWNERS file of a branch.

A commit's own file is not used: it could name anybody. Deliberately absent: which files they are asked about.
"""

from infraaudit_domain.errors import RepositoryError
from infraaudit_domain.reporting.owners import OWNER_FILES, Rule, parse_owners
from resources.git.mirror import Mirror

_FILE_BYTES = 64 * 1024


def owner_rules(mirror: Mirror, branch: str) -> tuple[Rule, ...]:
    """The rules as the tip of a branch has them; none where the file is not there, cannot be read, or is too long."""
    try:
        tip = mirror.branches().get(branch)
        found = (mirror.read(tip, path, _FILE_BYTES) for path in OWNER_FILES) if tip else iter(())
        content = next((file for file in found if file is not None), b"")
    except RepositoryError:  # Who asks has more to say, also where no owners can be found.
        return ()
    return parse_owners(content.decode("utf-8", "replace"))
