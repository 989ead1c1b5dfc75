"""A working tree as a commit that it would become, in a bare repository of our own beside it.

Our repository borrows the objects of theirs and writes only its own: their index, branches and objects stay as they
are. What their .gitignore and info/exclude leave out is left out. Deliberately absent: submodules' contents, and judging
the commit.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infraaudit_domain.errors import RepositoryError, ToolError, UnknownRevisionError, excerpt
from resources.git.mirror import Mirror
from resources.git.program import run_git

_SECONDS = 60.0
_ADD_SECONDS = 300.0
_NOBODY = ("-c", "user.name=infraaudit check", "-c", "user.email=infraaudit@localhost", "-c", "commit.gpgSign=false")


@dataclass(frozen=True, slots=True)
class WorkingTree:
    """A checkout on this machine."""

    folder: Path
    """Its root."""
    objects: Path
    common: Path
    """Where its repository keeps what all of its working trees share."""
    index: Path

    @property
    def origin(self) -> str:
        """The address of the remote named origin; empty where there is none."""
        return _ask(self.folder, "config", "--get", "remote.origin.url", absent="")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The commit that a working tree would become, on the commit that it is compared with."""

    mirror: Mirror
    sha: str
    base: str | None
    """None in a repository without a commit."""


def working_tree(path: Path) -> WorkingTree:
    """The checkout that a folder is in. Raises RepositoryError where it is in none."""
    if not path.is_dir():
        raise RepositoryError(f"{path} is no folder: name a checkout, or a folder in one.")
    try:
        top = _ask(path, "rev-parse", "--show-toplevel")
    except RepositoryError as error:
        raise RepositoryError(f"{path} is in no checkout of a Git repository; run git init in it first.") from error
    places = ("--path-format=absolute", "--git-path")
    objects, index = (Path(_ask(path, "rev-parse", *places, name)) for name in ("objects", "index"))
    return WorkingTree(Path(top), objects, Path(_ask(path, "rev-parse", *places[:1], "--git-common-dir")), index)


def deploy_tip(tree: WorkingTree, branch: str, against: str | None) -> str | None:
    """What a change is compared with: ``against``, else the branch at its remote, else the branch here, else HEAD.

    None in a repository without a commit. Raises UnknownRevisionError.
    """
    if against is not None:
        words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{against}^{{commit}}")
        if found := _ask(tree.folder, *words, absent=""):
            return found
        raise UnknownRevisionError(
            f"{tree.folder} has no commit {excerpt(against, 100)!r}: name a branch, tag or SHA, or fetch it first."
        )
    places = (f"refs/remotes/origin/{branch}", "refs/remotes/origin/HEAD", f"refs/heads/{branch}", "HEAD")
    here = (_ask(tree.folder, "rev-parse", "--verify", "--quiet", f"{one}^{{commit}}", absent="") for one in places)
    return next(filter(None, here), None)


def merge_base(tree: WorkingTree, tip: str) -> str:
    """The newest commit that HEAD and ``tip`` have in common. Raises RepositoryError where there is none."""
    base = _ask(tree.folder, "merge-base", "HEAD", tip, absent="")
    if not base:
        raise RepositoryError(
            f"HEAD of {tree.folder} and {tip[:12]} have no commit in common; name another one by --against, or fetch the"
            " rest of a shallow clone: git fetch --unshallow"
        )
    return base


def snapshot(tree: WorkingTree, branch: str, base: str | None, into: Path) -> Snapshot:
    """The working tree as one commit on ``base``, as if it had been merged into ``branch``.

    ``into`` is our repository, made where it is missing. Raises RepositoryError.
    """
    _prepare(tree, into)
    try:
        sha = _commit(tree, into, base)
        _git(into, "update-ref", f"refs/heads/{branch}", sha)
    except ToolError as error:
        raise RepositoryError(f"The working tree {tree.folder} cannot be read as a commit: {error}") from error
    return Snapshot(Mirror(tree.origin or str(tree.folder), into), sha, base)


def _prepare(tree: WorkingTree, into: Path) -> None:
    if not (into / "HEAD").is_file():
        into.mkdir(parents=True, exist_ok=True)
        run_git("init", "--quiet", "--bare", str(into), timeout=_SECONDS)
    (into / "objects/info/alternates").write_text(f"{tree.objects}\n")
    for name in ("shallow", "info/exclude"):
        theirs, ours = tree.common / name, into / name
        ours.parent.mkdir(exist_ok=True)
        if theirs.is_file():
            shutil.copyfile(theirs, ours)
        else:
            ours.unlink(missing_ok=True)


def _commit(tree: WorkingTree, into: Path, base: str | None) -> str:
    here = (*_NOBODY, f"--git-dir={into}", f"--work-tree={tree.folder}")
    _start_from_theirs(tree, into, here)
    run_git(*here, "add", "--all", "--sparse", "--", ":/", timeout=_ADD_SECONDS, folder=tree.folder)
    contents = run_git(*here, "write-tree", timeout=_SECONDS).text.strip()
    parents = ("-p", base) if base else ()
    words = ("commit-tree", *parents, "-m", f"The working tree {tree.folder.name}", contents)
    return run_git(*here, *words, timeout=_SECONDS).text.strip()


def _start_from_theirs(tree: WorkingTree, into: Path, here: Sequence[str]) -> None:
    """Their index is where tracked files stand that .gitignore names or that a sparse checkout leaves out."""
    (into / "index").unlink(missing_ok=True)
    is_split = any(tree.index.parent.glob("sharedindex.*"))
    if is_split:
        head = _ask(tree.folder, "rev-parse", "--verify", "--quiet", "HEAD", absent="")
        run_git(*here, "read-tree", *([head] if head else ["--empty"]), timeout=_SECONDS)
    elif tree.index.is_file():
        # With its time: Git compares contents where a file is as young as the index.
        shutil.copy2(tree.index, into / "index")


def _git(folder: Path, *words: str) -> str:
    return run_git(*words, timeout=_SECONDS, folder=folder).text.strip()


def _ask(folder: Path, *words: str, absent: str | None = None) -> str:
    """The answer of git; ``absent`` where it has none."""
    try:
        return _git(folder, *words)
    except ToolError as error:
        if absent is not None:
            return absent
        raise RepositoryError(f"{folder}: {excerpt(str(error), 300)}") from error


def is_tracked(file: Path) -> bool:
    """Whether a file is one of those that the checkout around it is made of."""
    folder = file.resolve().parent
    if not folder.is_dir():
        return False
    words = ("ls-files", "--error-unmatch", "--", f":(literal){file.resolve().name}")
    return run_git(*words, timeout=_SECONDS, folder=folder, check=False).returncode == 0
