"""The owners of the files that a commit changes, by the CODEOWNERS file of the deployed branch.

The commit's own file is not used: it could name anybody. Deliberately absent: notifying them.
"""

from collections.abc import Iterable

from infraaudit_domain.errors import RepositoryError
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.notices import NamedCommit
from infraaudit_domain.reporting.owners import OWNER_FILES, Rule, owners_of, parse_owners
from resources.git.mirror import Mirror

_FILE_BYTES = 64 * 1024


def named_commit(project: Project, mirror: Mirror, sha: str, paths: Iterable[str] = ()) -> NamedCommit:
    """A commit with its author, and the owners of some files or else of all it changed.

    A CODEOWNERS file that cannot be read, or is too long, names nobody. Raises RepositoryError for the commit.
    """
    commit = mirror.commit(sha)
    touched = list(paths) or [file.path for file in commit.changed_files]
    author = f"{commit.author_name} <{commit.author_email}>"
    owners = owners_of(_rules(mirror, project.deploy_branch), touched)
    return NamedCommit(project.name, sha, commit.subject, author, owners)


def _rules(mirror: Mirror, branch: str) -> tuple[Rule, ...]:
    tip = mirror.branches().get(branch)
    found = (mirror.read(tip, path, _FILE_BYTES) for path in OWNER_FILES) if tip else iter(())
    try:
        content = next((file for file in found if file is not None), b"")
    except RepositoryError:  # A notice is sent even where no owners can be found.
        return ()
    return parse_owners(content.decode("utf-8", "replace"))
