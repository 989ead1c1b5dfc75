"""What a repository says beside its branches, tags and objects changes nothing."""

import subprocess
from pathlib import Path

import pytest

from infraaudit.intake.new_commits import Cursor, look
from infraaudit_domain.errors import RepositoryError
from infraaudit_domain.projects import Project
from resources.git.mirror import Mirror
from tests.conftest import Repository


def refs(mirror: Mirror) -> set[str]:
    words = ["git", "-C", str(mirror.path), "for-each-ref", "--format=%(refname)"]
    return set(subprocess.run(words, check=True, capture_output=True, text=True).stdout.split())


def forged(repository: Repository) -> tuple[str, str]:
    """A tip that refs/replace shows with the tree of the commit before, and its true content."""
    repository.write({"main.tf": "harmless"}, "first")
    tip = repository.write({"main.tf": "open to the world"}, "second")
    repository.git("update-ref", f"refs/replace/{tip}", repository.git("rev-parse", "HEAD~1"))
    repository.git("update-ref", "refs/pull/1/head", "HEAD")
    repository.git("update-ref", "refs/notes/commits", "HEAD")
    return tip, "open to the world"


def test_branches_and_tags_are_fetched_and_nothing_else(repository: Repository, tmp_path: Path) -> None:
    tip, content = forged(repository)
    repository.git("tag", "v1")
    mirror = repository.mirror()
    assert refs(mirror) == {"refs/heads/main", "refs/tags/v1"}
    mirror.fetch()
    assert refs(mirror) == {"refs/heads/main", "refs/tags/v1"}
    assert mirror.read(tip, "main.tf") == content.encode()
    assert mirror.commit(tip).subject == "second"
    with mirror.checkout(tip, tmp_path / "scratch") as folder:
        assert (folder / "main.tf").read_text() == content


def test_a_mirror_of_old_gives_up_what_it_held_beside_them(repository: Repository) -> None:
    tip, content = forged(repository)
    mirror = Mirror(str(repository.path), repository.path.parent / "old.mirror")
    subprocess.run(["git", "clone", "--mirror", "--quiet", repository.path, mirror.path], check=True)
    assert f"refs/replace/{tip}" in refs(mirror)
    # Also before the next fetch.
    assert mirror.read(tip, "main.tf") == content.encode()
    mirror.fetch()
    assert refs(mirror) == {"refs/heads/main"}


def test_grafts_and_a_forged_commit_graph_change_no_parent(repository: Repository) -> None:
    shas = [repository.write({"a": str(n)}, str(n)) for n in range(3)]
    repository.git("commit-graph", "write", "--reachable")
    mirror = repository.mirror()
    (mirror.path / "info").mkdir(exist_ok=True)
    (mirror.path / "info/grafts").write_text(f"{shas[2]} {shas[0]}\n")
    assert mirror.first_parents(shas[2]) == shas
    assert mirror.commit(shas[2]).parents == (shas[1],)
    assert not list(mirror.path.glob("objects/info/commit-graph*"))


def test_nothing_is_taken_that_is_not_what_its_name_says(repository: Repository, tmp_path: Path) -> None:
    sha = repository.write({"a": "1"}, "base")
    blob = repository.git("rev-parse", f"{sha}:a")
    evil = repository.git("rev-parse", f"{repository.write({'b': '2'}, 'other')}:b")
    objects = repository.path / ".git/objects"
    (objects / blob[:2] / blob[2:]).unlink()
    (objects / blob[:2] / blob[2:]).write_bytes((objects / evil[:2] / evil[2:]).read_bytes())
    with pytest.raises(RepositoryError, match="cannot be read"):
        Mirror(str(repository.path), tmp_path / "mirror").fetch()


class Shallow:
    """A repository of four commits, and a shallow clone of it that has the last two."""

    def __init__(self, repository: Repository) -> None:
        self.shas = [repository.write({"a": str(n), f"f{n}": ""}, str(n)) for n in range(4)]
        self.full, path = repository, repository.path.parent / "shallow"
        subprocess.run(["git", "clone", "--quiet", "--depth=2", f"file://{repository.path}", path], check=True)
        self.clone = Repository(path)


@pytest.fixture
def shallow(repository: Repository) -> Shallow:
    return Shallow(repository)


def test_where_a_shallow_repository_ends_is_no_first_commit(shallow: Shallow) -> None:
    mirror, shas = shallow.clone.mirror(), shallow.shas
    assert mirror.commits([shas[3]]) == shas[2:]
    assert mirror.first_parents(shas[3]) == shas[2:]
    boundary = mirror.commit(shas[2])
    assert (boundary.parents, boundary.changed_files) == ((shas[1],), ())
    assert mirror.lineage([shas[3]]) == mirror.parents(shas[2:]) == {shas[2]: (shas[1],), shas[3]: (shas[2],)}
    assert mirror.existing(boundary.parents) == []
    assert {file.path for file in mirror.commit(shas[3]).changed_files} == {"a", "f3"}


def test_a_shallow_repository_grows_and_becomes_whole(shallow: Shallow) -> None:
    mirror, shas = shallow.clone.mirror(), shallow.shas
    fifth = shallow.clone.write({"a": "5"}, "5")
    mirror.fetch()
    assert mirror.commits([fifth]) == [*shas[2:], fifth]
    shallow.clone.git("fetch", "--quiet", "--unshallow")
    mirror.fetch()
    assert mirror.commits([fifth]) == [*shas, fifth]
    assert mirror.commit(shas[2]).changed_files
    mirror.fetch()


def test_a_repository_that_becomes_shallow_hides_nothing_that_was_there(shallow: Shallow) -> None:
    shas = shallow.shas
    whole = shallow.full.mirror()
    ended = shallow.clone.mirror()
    shallow.clone.git("fetch", "--quiet", "--depth=1")
    fifth = shallow.clone.write({"a": "5"}, "5")
    assert shallow.clone.git("rev-list", "HEAD").split() == [fifth, shas[3]]
    for mirror, before in ((whole, shas), (ended, shas[2:])):
        mirror.url = str(shallow.clone.path)
        mirror.fetch()
        assert mirror.commits([fifth]) == [*before, fifth]
        assert mirror.commit(shas[3]).changed_files


@pytest.mark.parametrize("first_commits", [0, 1])
def test_a_shallow_repository_is_looked_at_like_any_other(shallow: Shallow, first_commits: int) -> None:
    mirror, project = shallow.clone.mirror(), Project("p", "x", first_commits=first_commits)
    first = look(mirror, project, Cursor(), recorded=lambda: ())
    assert list(first.new) == shallow.shas[2:][-first_commits:] if first_commits else shallow.shas[2:]
    again = look(mirror, project, Cursor(), recorded=lambda: (), begun=lambda: list(first.new))
    assert list(again.new) == list(first.new)
    fifth = shallow.clone.write({"a": "5"}, "5")
    mirror.fetch()
    assert list(look(mirror, project, first.cursor, recorded=lambda: ()).new) == [fifth]


def test_a_commit_whose_parent_is_lost_is_an_error_that_names_it(repository: Repository) -> None:
    first = repository.write({"a": "1"}, "1")
    second = repository.write({"a": "2"}, "2")
    mirror = repository.mirror()
    repository.lose(mirror, first)
    for ask in (mirror.commit, mirror.first_parents, mirror.changed_files, lambda sha: mirror.commits([sha])):
        with pytest.raises(RepositoryError, match=first):
            ask(second)


def test_what_is_beside_branches_is_fetched_by_its_ref_and_stays_in_no_ref(repository: Repository) -> None:
    base = repository.write({"a": "1"}, "base")
    mirror = repository.mirror()
    repository.git("switch", "--quiet", "-c", "elsewhere")
    head = repository.write({"a": "2"}, "a stranger's")
    repository.git("tag", "theirs")
    repository.git("update-ref", "refs/pull/7/head", head)
    repository.git("switch", "--quiet", "main")
    repository.git("branch", "--quiet", "-D", "elsewhere")
    repository.git("tag", "-d", "theirs")
    mirror.fetch_beside("refs/pull/7/head")
    assert mirror.existing([head]) == [head] and refs(mirror) == {"refs/heads/main"}
    assert not (mirror.path / "FETCH_HEAD").exists() or head not in (mirror.path / "FETCH_HEAD").read_text()
    mirror.fetch()
    assert mirror.existing([head]) == [head] and refs(mirror) == {"refs/heads/main"}
    assert mirror.branches() == {"main": base} and mirror.merge_base(base, head) == base
    with pytest.raises(RepositoryError, match="refs/pull/8/head of .* cannot be read"):
        mirror.fetch_beside("refs/pull/8/head")


def test_what_has_no_common_history_has_no_merge_base(repository: Repository) -> None:
    one = repository.write({"a": "1"}, "one")
    repository.git("switch", "--quiet", "--orphan", "other")
    other = repository.write({"b": "1"}, "other")
    assert repository.mirror().merge_base(one, other) is None
