"""Which forge has a project's repository, and where its API answers.

All of it comes from the projects file: nothing that a commit contains chooses where a token is sent. Deliberately absent:
the token itself.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import SplitResult, urlsplit


class ForgeKind(StrEnum):
    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"
    """Forgejo, too: it has the same API."""
    BITBUCKET = "bitbucket"
    BITBUCKET_DC = "bitbucket-dc"


@dataclass(frozen=True, slots=True)
class Forge:
    """A repository on a forge, as its API names it."""

    kind: ForgeKind
    api: str
    """The base of every address, without a slash at its end: the token goes to this host alone."""
    repository: str
    """The path of the repository: ``owner/name``, with GitLab's subgroups before it."""
    token_file: str | None = None
    """The absolute path of a file that holds the token; None is that of the settings."""
    requests: bool = False
    """Whether the heads of its pull and merge requests are built, tested, scanned and judged."""
    comments: bool = False
    """Whether each of these has a comment that says what was found."""

    @property
    def parts(self) -> tuple[str, str]:
        """Owner and name, on the forges whose repositories have no other path."""
        owner, _, name = self.repository.rpartition("/")
        return owner, name


_HOSTED = {
    "github.com": (ForgeKind.GITHUB, "https://api.github.com"),
    "ssh.github.com": (ForgeKind.GITHUB, "https://api.github.com"),
    "gitlab.com": (ForgeKind.GITLAB, "https://gitlab.com/api/v4"),
    "altssh.gitlab.com": (ForgeKind.GITLAB, "https://gitlab.com/api/v4"),
    "bitbucket.org": (ForgeKind.BITBUCKET, "https://api.bitbucket.org/2.0"),
    "altssh.bitbucket.org": (ForgeKind.BITBUCKET, "https://api.bitbucket.org/2.0"),
    "codeberg.org": (ForgeKind.GITEA, "https://codeberg.org/api/v1"),
    "gitea.com": (ForgeKind.GITEA, "https://gitea.com/api/v1"),
}
_BY_NAME = {
    "github": ForgeKind.GITHUB,
    "gitlab": ForgeKind.GITLAB,
    "gitea": ForgeKind.GITEA,
    "forgejo": ForgeKind.GITEA,
    "bitbucket": ForgeKind.BITBUCKET_DC,
}
_API_PATHS = {
    ForgeKind.GITHUB: "/api/v3",
    ForgeKind.GITLAB: "/api/v4",
    ForgeKind.GITEA: "/api/v1",
    ForgeKind.BITBUCKET_DC: "/rest",
}
_ANYWHERE = (ForgeKind.GITEA, ForgeKind.BITBUCKET_DC)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_SCP = re.compile(r"(?:[^/@:]+@)?(?P<host>[^/@:]+):(?!//)(?P<path>[^:]+)")
_SEGMENT = re.compile(r"[A-Za-z0-9_.~-]{1,255}")
_GITHUB_WITH_RESIDENCY = ".ghe.com"


def forge_of_url(
    url: str,
    kind: ForgeKind | None = None,
    api: str | None = None,
    repository: str | None = None,
    token_file: str | None = None,
) -> Forge:
    """The forge of a repository's URL; what is given goes before what the URL says. Raises ValueError."""
    place = _place(url)
    kind = kind or _kind(place)
    path = repository or _repository(kind, place)
    segments = path.split("/")
    if not all(_SEGMENT.fullmatch(one) and set(one) != {"."} for one in segments) or len(segments) < 2:
        raise ValueError("repository: must be owner/name, as in the address of its page")
    if len(segments) > 2 and kind is not ForgeKind.GITLAB:
        raise ValueError("repository: must be owner/name; only GitLab has groups within groups")
    return Forge(kind, _checked(api or _api(kind, place)), path, token_file)


def _place(url: str) -> SplitResult:
    """The parts of a URL; a local path has no host, and SSH has a port that is not the forge's."""
    if match := _SCP.fullmatch(url):
        return urlsplit(f"ssh://{match['host']}/{match['path'].lstrip('/')}")
    return urlsplit(url)


def _kind(place: SplitResult) -> ForgeKind:
    host = (place.hostname or "").casefold()
    if host in _HOSTED:
        return _HOSTED[host][0]
    if host.endswith(_GITHUB_WITH_RESIDENCY):
        return ForgeKind.GITHUB
    if found := _BY_NAME.get(host.partition(".")[0]):
        return found
    raise ValueError(f"kind: cannot be guessed from the url; give one of {', '.join(ForgeKind)}")


def _repository(kind: ForgeKind, place: SplitResult) -> str:
    path = _path(place)
    # Under which path of its host one of these stands, the URL does not say: the repository is what comes last.
    return "/".join(path[-2:] if kind in _ANYWHERE else path)


def _path(place: SplitResult) -> list[str]:
    return place.path.strip("/").removesuffix(".git").split("/") if place.hostname else []


def _api(kind: ForgeKind, place: SplitResult) -> str:
    host = (place.hostname or "").casefold()
    if host in _HOSTED and _HOSTED[host][0] is kind:
        return _HOSTED[host][1]
    if kind is ForgeKind.BITBUCKET:
        return "https://api.bitbucket.org/2.0"
    if not host or place.scheme not in ("https", "ssh"):
        raise ValueError("api: cannot be guessed from the url; give the https address of the forge's API")
    if host.endswith(_GITHUB_WITH_RESIDENCY):
        return f"https://api.{host}"
    if place.scheme == "ssh":
        return f"https://{host}{_API_PATHS[kind]}"
    port = f":{place.port}" if place.port else ""
    before = _path(place)[:-2] if kind in _ANYWHERE else []
    if before[-1:] == ["scm"]:  # Data Center's own, before every repository.
        before = before[:-1]
    return f"https://{host}{port}{''.join(f'/{one}' for one in before)}{_API_PATHS[kind]}"


def _checked(api: str) -> str:
    """An address that a token may be sent to: over TLS, or on this machine alone."""
    # Before it is parsed, which drops some of these, and an empty query.
    if any(one in "?#" or one.isspace() or not one.isprintable() for one in api):
        raise ValueError("api: must be an address without spaces, control characters, query or fragment")
    parts = urlsplit(api)
    try:
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"api: {error}") from error
    if parts.username or parts.password or not parts.hostname:
        raise ValueError("api: must be an address like https://forge.example/api, without a user")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ValueError("api: must be https, so that nobody on the way reads the token")
    return api.rstrip("/")
