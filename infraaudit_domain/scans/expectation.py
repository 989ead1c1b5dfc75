"""What a framework has to read of a file, by our own look at its text and at where it lies.

Held against what the scanner proves to have read. Deliberately absent: anything that the scanner says.
"""

import posixpath
import re
from collections.abc import Callable, Collection, Mapping

from infraaudit_domain.scans.appearance import (
    LAST_LINE,
    Part,
    bicep_code,
    instructions,
    terraform_blocks,
    terraform_in_hcl,
)
from infraaudit_domain.scans.documents import documents, json_text

_YAML = (".yaml", ".yml")
_DATA = (*_YAML, ".template")
# Both are searched for, and not matched as a whole: that takes time quadratic in the length of a name.
_DOCKERFILE = re.compile(r"(?:^|.\.)[Dd]ockerfile(?:\Z|\..)")
_LIKE_DOCKERFILE = re.compile(r"(?:^|.\.)(?:dockerfile|containerfile)(?:\Z|[._-].)", re.IGNORECASE)
"""What builders are given for one, by whatever name; Checkov knows the names above alone."""
_SEARCHED = (*_DATA, ".json", ".tf", ".hcl", ".bicep")
_LOCK_FILES = {"Pipfile.lock", "yarn.lock", "package-lock.json", "requirements.txt", "go.sum"}
_NEVER_ENTERED = {"node_modules", ".terraform", ".serverless"}
_ENTERED_THOUGH_HIDDEN = {
    "github_actions": {".github"},
    "circleci_pipelines": {".circleci"},
    "gitlab_ci": {".gitlab-ci.yml", ".gitlab-ci.yaml"},
}
_LOOKS: Mapping[str, Callable[[bytes], tuple[Part, ...]]] = {
    "data": documents,
    "json": json_text,
    "terraform": terraform_blocks,
    "hcl": terraform_in_hcl,
    "bicep": bicep_code,
    "dockerfile": instructions,
}
_WHOLE = (Part(1, LAST_LINE),)
_PIPELINES: Mapping[str, Callable[[str], bool]] = {
    "azure_pipelines": lambda path: path.endswith(("azure-pipelines.yml", "azure-pipelines.yaml")),
    "bitbucket_pipelines": lambda path: path.endswith(("bitbucket-pipelines.yml", "bitbucket-pipelines.yaml")),
    "circleci_pipelines": lambda path: ".circleci/" in path and path.endswith(("config.yml", "config.yaml")),
    "github_actions": lambda path: ".github/workflows/" in path and path.endswith(_YAML),
    "gitlab_ci": lambda path: path.endswith((".gitlab-ci.yml", ".gitlab-ci.yaml")),
    "serverless": lambda path: posixpath.basename(path) in ("serverless.yml", "serverless.yaml"),
    "terraform_json": lambda path: path.endswith((".tf.json", ".tofu.json")),
}
"""Frameworks that know their files by name: each document in them counts."""


def kind_of(path: str) -> str:
    """How a file of this name is to be looked at; empty where no framework but the search for secrets reads it."""
    if path.endswith(".json"):
        return "json"
    if path.endswith(_DATA):
        return "data"
    if path.endswith((".tf", ".tofu")):
        return "terraform"
    if path.endswith(".hcl"):
        return "hcl"
    if path.endswith(".bicep"):
        return "bicep"
    name = posixpath.basename(path)
    is_like_one = _LIKE_DOCKERFILE.search(name) and not name.lower().endswith(".dockerignore") and "\n" not in name
    return "dockerfile" if is_like_one else ""


def look(kind: str, content: bytes) -> tuple[Part, ...]:
    """The parts of a text of this kind."""
    return _LOOKS[kind](content)


def charts(paths: Collection[str]) -> frozenset[str]:
    """The folders of Helm charts in a tree, each with a slash at its end."""
    return frozenset(path[: -len("Chart.yaml")] for path in paths if posixpath.basename(path) == "Chart.yaml")


def chart_of(path: str, folders: Collection[str]) -> str | None:
    """The chart that a file is a template of."""
    at = path.find("templates/")
    while at != -1:
        if path[:at] in folders:
            return path[:at]
        at = path.find("templates/", at + 1)
    return None


def expected_parts(framework: str, path: str, parts: tuple[Part, ...], folders: Collection[str]) -> tuple[Part, ...]:
    """The parts of a file that a framework has to read; ``folders`` are those of the tree's charts."""
    if is_hidden(framework, path) or (framework == "dockerfile" and not _is_dockerfile(path)):
        return ()
    return _meant_parts(framework, path, parts, folders)


def never_read(framework: str, path: str, parts: tuple[Part, ...], folders: Collection[str]) -> str:
    """Why Checkov opens no file of this name, though it is one for a framework; empty where it does, or it is none.

    Deliberately absent: the search for secrets, for which any file is one.
    """
    if framework == "secrets" or not _meant_parts(framework, path, parts, folders):
        return ""
    if is_hidden(framework, path):
        return "Checkov enters no folder and opens no file of such a name"
    is_other = framework == "dockerfile" and not _is_dockerfile(path) and any(part.name == "FROM" for part in parts)
    return "Checkov takes no file of this name for a Dockerfile" if is_other else ""


def is_known_by_name(framework: str, path: str) -> bool:
    """Whether a framework takes a file by its name alone for one of its own."""
    if is_hidden(framework, path):
        return False
    if framework in ("terraform", "bicep"):
        return kind_of(path) == framework
    if framework == "dockerfile":
        return _is_dockerfile(path)
    return framework in _PIPELINES and _PIPELINES[framework](path)


def _meant_parts(framework: str, path: str, parts: tuple[Part, ...], folders: Collection[str]) -> tuple[Part, ...]:
    if framework == "secrets":
        return _WHOLE if _is_searched(posixpath.basename(path)) else ()
    if framework in ("terraform", "bicep", "dockerfile"):
        return parts if kind_of(path) == framework or (framework == "terraform" and path.endswith(".hcl")) else ()
    if kind_of(path) not in ("data", "json"):
        return ()
    if framework in _PIPELINES:
        return parts if _PIPELINES[framework](path) else ()
    found = tuple(part for part in parts if framework in part.meant_for)
    if framework == "kubernetes":
        is_template = any("template" in part.meant_for for part in parts)
        return found or (_WHOLE if is_template and chart_of(path, folders) is not None else ())
    if framework == "ansible":
        return found or tuple(part for part in parts if "tasks" in part.meant_for and _is_of_a_role(path))
    if framework in ("arm", "terraform_plan") and not path.endswith(".json"):
        return ()
    return found if framework != "argo_workflows" or path.endswith(_YAML) else ()


def _is_searched(name: str) -> bool:
    """Whether Checkov searches a file of this name for secrets (checkov/secrets/runner.py)."""
    return (name.endswith(_SEARCHED) and name not in _LOCK_FILES) or _is_dockerfile(name)


def _is_dockerfile(path: str) -> bool:
    name = posixpath.basename(path)
    is_one = _DOCKERFILE.search(name) is not None and "\n" not in name
    return is_one and not name.endswith((".dockerignore", ".Dockerignore"))


def _is_of_a_role(path: str) -> bool:
    folders = path.split("/")[:-1]
    return bool({"tasks", "handlers"} & set(folders)) or "playbook" in path


def is_hidden(framework: str, path: str) -> bool:
    """Checkov enters no folder and opens no file whose name begins with a dot, but for those it knows."""
    return bool(never_entered(framework, path))


def never_entered(framework: str, path: str) -> str:
    """A path up to the first folder that Checkov does not enter, or all of it for such a file; else empty.

    >>> never_entered("kubernetes", "a/.b/c/pod.yaml")
    'a/.b/'
    """
    names = path.split("/") if framework != "bicep" else []
    known = _ENTERED_THOUGH_HIDDEN.get(framework, set())
    for number, name in enumerate(names, start=1):
        if name in _NEVER_ENTERED or (name.startswith(".") and name not in known):
            return "/".join(names[:number]) + "/" * (number < len(names))
    return ""
