"""The ``forge:`` of a project in configs/projects.yaml: where the statuses of its commits are sent.

``forge: {}`` is enough where the URL says which forge it is. Deliberately absent: the token's text, which is in a file or
in INFRAAUDIT_FORGE_TOKENS, and anything that a commit could say.
"""

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo

from infraaudit_domain.reporting.forge_address import Forge, ForgeKind, forge_of_url


def secret_file(path: str) -> str:
    """The path of a file that holds a secret, as projects.yaml names it."""
    if not PurePosixPath(path).is_absolute() or "," in path:
        raise ValueError("must be the absolute path of a file, without a comma")
    return path


class ForgeEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["github", "gitlab", "gitea", "forgejo", "bitbucket", "bitbucket-dc"] | None = None
    api: str | None = None
    repository: str | None = None
    token_file: Annotated[str, AfterValidator(secret_file)] | None = None
    requests: bool = False
    comments: bool = False

    def forge(self, url: str) -> Forge:
        """The forge of a repository with this URL. Raises ValueError."""
        kind = "gitea" if self.kind == "forgejo" else self.kind
        found = forge_of_url(url, ForgeKind(kind) if kind else None, self.api, self.repository, self.token_file)
        return replace(found, requests=self.requests, comments=self.comments)


def _known(given: ForgeEntry | None, info: ValidationInfo) -> ForgeEntry | None:
    # A URL that is invalid itself is reported there.
    if given is not None and given.comments and not given.requests:
        raise ValueError("comments: needs requests: true; the comment is that of a pull or merge request")
    if given is not None and "url" in info.data:
        given.forge(info.data["url"])
    return given


ForgeOf = Annotated[ForgeEntry | None, AfterValidator(_known)]
"""The forge of an entry, which is valid only with the URL of the entry."""
