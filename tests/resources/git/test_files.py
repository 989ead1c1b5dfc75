"""What is judged is what is built: every reader of a commit gets the bytes that Git keeps."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from infraaudit_domain.errors import RepositoryError, UnknownRevisionError
from resources.checkov.limits import ScanLimits
from resources.checkov.tree import select
from resources.git.mirror import Mirror
from tests.conftest import Repository

ATTRIBUTES = """
*.yaml export-subst ident text eol=crlf
*.tf   working-tree-encoding=UTF-16 text
*.json filter=evil
hidden/ export-ignore
hidden.yaml export-ignore
Dockerfile text eol=crlf ident export-subst
[attr]odd export-ignore
docker/** odd
"""
FILES = {
    "pod.yaml": "# $Format:%n%x20 privileged: %an$ $Id$\nkind: Pod\n",
    "hidden/pod.yaml": "kind: Pod\n",
    "hidden.yaml": "kind: Pod\r\n",
    "main.tf": 'resource "x" "y" {}\n',
    "package.json": '{"a": "1"}\n',
    "docker/Dockerfile": "FROM x\n# $Id$ $Format:%H$\n",
}


def hostile(repository: Repository) -> str:
    """A commit whose attributes make of every file something else wherever Git heeds them."""
    repository.write(FILES, "files")
    for path, text in ((".gitattributes", ATTRIBUTES), ("docker/.gitattributes", "* export-ignore\n")):
        # Not written to the working tree, where they would count for `git add`.
        made = repository.write_object("blob", text.encode())
        repository.git("update-index", "--add", "--cacheinfo", f"100644,{made},{path}")
    repository.git("commit", "--quiet", "--message", "attributes")
    return repository.git("rev-parse", "HEAD")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_checkout_is_what_is_scanned_byte_for_byte(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = hostile(repository)
    home = tmp_path / "home"
    home.mkdir()
    (home / "attributes").write_text("* export-ignore\n")
    settings = f'[core]\n\tattributesFile = {home}/attributes\n\tautocrlf = true\n[filter "evil"]\n\tsmudge = rev\n'
    (home / ".gitconfig").write_text(settings)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_ATTR_SOURCE", sha)
    mirror = repository.mirror()
    (mirror.path / "info").mkdir(exist_ok=True)
    (mirror.path / "info/attributes").write_text("*.yaml export-ignore\n")
    selection = select(mirror.tree(sha), ("kubernetes", "terraform", "dockerfile", "secrets"), ScanLimits())
    mirror.export(selection.files, tmp_path / "scanned")
    scanned = contents(tmp_path / "scanned")
    with mirror.checkout(sha, tmp_path / "scratch") as folder:
        built = contents(folder)
    kept = {entry.path: mirror.read(sha, entry.path) for entry in mirror.tree(sha)}
    assert built == kept
    assert scanned.keys() >= FILES.keys()
    assert scanned == {path: built[path] for path in scanned}
    assert {path: built[path].decode() for path in FILES} == FILES


def blob(repository: Repository, content: bytes) -> bytes:
    return bytes.fromhex(repository.write_object("blob", content))


def tree(repository: Repository, *entries: tuple[str, bytes, bytes]) -> str:
    """A commit of a tree of (mode, name, object), which Git itself would not make."""
    content = b"".join(mode.encode() + b" " + name + b"\0" + sha for mode, name, sha in entries)
    made = repository.write_object("tree", content)
    sha = repository.write_object(
        "commit", b"tree %s\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nodd\n" % made.encode()
    )
    repository.git("update-ref", "refs/heads/odd", sha)
    return sha


def twice(repository: Repository) -> str:
    one, other = blob(repository, b"scanned"), blob(repository, b"built")
    return tree(repository, ("100644", b"main.tf", one), ("100644", b"main.tf", other))


def file_and_folder(repository: Repository) -> str:
    one = blob(repository, b"kind: Pod")
    inner = bytes.fromhex(repository.write_object("tree", b"100644 b.yaml\0" + one))
    return tree(repository, ("100644", b"a", one), ("40000", b"a", inner))


def link_and_folder(repository: Repository) -> str:
    inner = bytes.fromhex(repository.write_object("tree", b"100644 b.yaml\0" + blob(repository, b"kind: Pod")))
    return tree(repository, ("120000", b"a", blob(repository, b"elsewhere")), ("40000", b"a", inner))


def above(repository: Repository) -> str:
    return tree(repository, ("100644", b"..", blob(repository, b"x")))


def git_folder(repository: Repository) -> str:
    inner = bytes.fromhex(repository.write_object("tree", b"100644 config\0" + blob(repository, b"[core]")))
    return tree(repository, ("40000", b".GIT", inner))


@pytest.mark.parametrize("made", [twice, file_and_folder, link_and_folder, above, git_folder])
def test_a_tree_that_two_readers_may_read_otherwise_is_refused(
    repository: Repository, tmp_path: Path, made: Callable[[Repository], str]
) -> None:
    repository.write({"a": "1"}, "base")
    sha = made(repository)
    mirror = repository.mirror()
    with pytest.raises(RepositoryError, match="cannot be read: it holds"):
        mirror.tree(sha)
    with pytest.raises(RepositoryError, match="cannot be read: it holds"), mirror.checkout(sha, tmp_path / "scratch"):
        pass
    assert not list(tmp_path.glob("scratch/*"))


def test_modes_links_and_submodules_arrive_as_in_a_clone(repository: Repository, tmp_path: Path) -> None:
    first = repository.write({"dir/a": "1"}, "base")
    names = [(b"abs", b"/etc/passwd"), (b"long", b"x" * 5000), (b"in", b"dir/a"), (b"nothing", b""), (b"nul", b"a\0b")]
    links = [("120000", name, blob(repository, to)) for name, to in names]
    run = ("100755", b"run", blob(repository, b"#!"))
    sha = tree(
        repository, *links, run, ("160000", b"sub", bytes.fromhex(first)), ("100644", b"z", blob(repository, b""))
    )
    with repository.mirror().checkout(sha, tmp_path / "scratch") as folder:
        assert sorted(path.name for path in folder.iterdir()) == ["in", "run", "sub", "z"]
        assert (folder / "sub").is_dir() and os.readlink(folder / "in") == "dir/a"
        assert [(folder / name).stat().st_mode & 0o777 for name in ("run", "z")] == [0o755, 0o644]


def test_a_name_that_no_file_system_takes_is_an_error_in_words(repository: Repository, tmp_path: Path) -> None:
    repository.write({"a": "1"}, "base")
    sha = tree(repository, ("100644", b"n" * 300 + b".tf", blob(repository, b"x")))
    mirror: Mirror = repository.mirror()
    with pytest.raises(RepositoryError, match="File name too long"), mirror.checkout(sha, tmp_path / "scratch"):
        pass
    with pytest.raises(RepositoryError, match="File name too long"):
        mirror.export(mirror.tree(sha), tmp_path / "export")


def test_a_commit_is_asked_for_by_its_sha_alone(repository: Repository) -> None:
    sha = repository.write({"a": "1"}, "base")
    for name in ("main", sha[:12], sha.upper(), "HEAD"):
        with pytest.raises(UnknownRevisionError):
            repository.mirror().commit(name)
