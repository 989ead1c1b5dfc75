"""The owners of the files that a commit changes, by the CODEOWNERS file of the deployed branch.

The commit's own file is not used: it could name anybody. One that an earlier commit of the branch brought is, also where
both were pushed together. Deliberately absent: notifying them.
"""

from collections.abc import Iterable

from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.notices import NamedCommit
from infraaudit_domain.reporting.owners import owners_of
from infraaudit_domain.reporting.recipients import routed
from resources.git.code_owners import owner_rules_before
from resources.git.mirror import Mirror


def named_commit(project: Project, mirror: Mirror, sha: str, paths: Iterable[str] = ()) -> NamedCommit:
    """A commit with its author, and the owners of some files or else of all it changed.

    A CODEOWNERS file that cannot be read, or is too long, names nobody. Raises RepositoryError for the commit.
    """
    commit = mirror.commit(sha)
    touched = list(paths) or [file.path for file in commit.changed_files]
    author = f"{commit.author_name} <{commit.author_email}>"
    owners = owners_of(owner_rules_before(mirror, project.deploy_branch, commit), touched)
    concerned = routed((commit.author_email, *owners), project.routes)
    return NamedCommit(project.name, sha, commit.subject, author, owners, concerned)
