"""Whatever a killed git or a crashed machine left in a mirror, the next fetch puts it right."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infraaudit_domain.errors import RepositoryError
from resources.git.mirror import Mirror
from tests.conftest import Repository


def _each(folder: Path, pattern: str) -> list[Path]:
    found = [path for path in folder.rglob(pattern) if path.is_file()]
    assert found
    return found


def _pack(path: Path) -> None:
    subprocess.run(["git", "-C", str(path), "repack", "-adq"], check=True)


def _truncate_pack(path: Path) -> None:
    _pack(path)
    for pack in _each(path / "objects" / "pack", "*.pack"):
        pack.chmod(0o600)
        os.truncate(pack, pack.stat().st_size // 2)


def _empty_objects(path: Path) -> None:
    for pack in _each(path / "objects" / "pack", "*.pack"):
        moved = path / "taken.pack"
        pack.rename(moved)
        for other in _each(path / "objects" / "pack", "*"):
            other.unlink()
        with moved.open("rb") as stream:
            subprocess.run(["git", "-C", str(path), "unpack-objects", "-q"], stdin=stream, check=True)
        moved.unlink()
    for loose in _each(path / "objects", "[0-9a-f]" * 38):
        loose.chmod(0o600)
        os.truncate(loose, 0)


LEFT = ["refs/heads/main.lock", "refs/heads/new.lock", "packed-refs.lock", "config.lock", "HEAD.lock", "shallow.lock"]
BROKEN: dict[str, Callable[[Path], object]] = {
    "empty HEAD": lambda path: (path / "HEAD").write_text(""),
    "no HEAD": lambda path: (path / "HEAD").unlink(),
    "empty config": lambda path: (path / "config").write_text(""),
    "a config that is none": lambda path: (path / "config").write_text("[core\nbare"),
    "empty reference": lambda path: (path / "refs/heads/main").write_text(""),
    "a reference of zeros": lambda path: (path / "refs/heads/main").write_bytes(b"\0" * 41),
    "a reference to nothing": lambda path: (path / "refs/heads/main").write_text("1" * 40 + "\n"),
    "packed references that are none": lambda path: (path / "packed-refs").write_text("\0\0\0"),
    "half a pack": _truncate_pack,
    "empty objects": _empty_objects,
    "no objects": lambda path: (path / "objects").rename(path / "gone"),
}


@pytest.fixture
def mirror(repository: Repository) -> Mirror:
    repository.write({"a.txt": "1"}, "first")
    return repository.mirror()


def _is_right_after_a_fetch(mirror: Mirror, repository: Repository) -> None:
    repository.git("checkout", "-q", "-B", "new")
    repository.write({"b.txt": "2"}, "elsewhere")
    repository.git("checkout", "-q", "main")
    tip = repository.write({"a.txt": "2"}, "second")
    mirror.fetch()
    assert mirror.branches() == {"main": tip, "new": repository.git("rev-parse", "new")}
    assert mirror.read(tip, "a.txt") == b"2" and len(mirror.first_parents(tip)) == 2
    subprocess.run(["git", "-C", str(mirror.path), "fsck", "--strict"], check=True, capture_output=True)
    left = [p for p in mirror.path.rglob("*") if p.name.endswith(".lock") or p.name.startswith("tmp_")]
    assert left == [] and list(mirror.path.parent.glob(".clone-*")) == []


@pytest.mark.parametrize("name", [*LEFT, "objects/pack/tmp_pack_x1"])
def test_what_a_killed_fetch_left_stops_no_later_one(mirror: Mirror, repository: Repository, name: str) -> None:
    (mirror.path / name).parent.mkdir(parents=True, exist_ok=True)
    (mirror.path / name).write_bytes(b"")
    _is_right_after_a_fetch(mirror, repository)


@pytest.mark.parametrize("damage", BROKEN.values(), ids=BROKEN)
def test_a_broken_mirror_is_cloned_anew(
    mirror: Mirror, repository: Repository, damage: Callable[[Path], object]
) -> None:
    damage(mirror.path)
    _is_right_after_a_fetch(mirror, repository)


@pytest.mark.parametrize("is_packed", [True, False], ids=["packed", "loose"])
def test_commits_that_are_on_no_branch_outlive_a_broken_mirror(
    mirror: Mirror, repository: Repository, is_packed: bool
) -> None:
    gone = repository.write({"a.txt": "gone"}, "gone")
    mirror.fetch()
    repository.git("reset", "--hard", "-q", "HEAD~1")
    mirror.fetch()
    if is_packed:
        words = ["git", "-C", str(mirror.path), "pack-objects", "-q", "--all", "--reflog", "objects/pack/pack"]
        subprocess.run(words, check=True, input=f"{gone}\n", text=True, capture_output=True)
    (mirror.path / "HEAD").write_text("")
    _is_right_after_a_fetch(mirror, repository)
    assert mirror.read(gone, "a.txt") == b"gone"


def test_a_repository_that_does_not_answer_costs_no_mirror(mirror: Mirror, repository: Repository) -> None:
    repository.path.rename(repository.path.parent / "moved")
    (mirror.path / "HEAD").write_text("")
    before = sorted(str(path) for path in mirror.path.rglob("*"))
    with pytest.raises(RepositoryError, match="cannot be read"):
        mirror.fetch()
    assert sorted(str(path) for path in mirror.path.rglob("*")) == before


def test_clones_that_were_never_finished_are_swept(repository: Repository) -> None:
    repository.write({"a.txt": "1"}, "first")
    path = repository.path.parent / "a.mirror"
    ours, others, old = (path.parent / f".clone-{name}" for name in ("a.mirror-1", "b.mirror-1", "x1"))
    for folder in (ours, others, old):
        folder.mkdir()
    os.utime(old, (1, 1))
    Mirror(str(repository.path), path).fetch()
    assert [folder.exists() for folder in (ours, others, old)] == [False, True, False]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 7))])
def test_killed_fetches_are_followed_by_one_that_works(
    mirror: Mirror, repository: Repository, seed: int, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    code = "import sys; from pathlib import Path; from resources.git.mirror import Mirror; Mirror(sys.argv[1], Path(sys.argv[2])).fetch()"
    for number in range(8):
        for branch in range(20):
            repository.git("branch", "-f", f"b{branch}", repository.write({"n.txt": f"{number} {branch}"}, "more"))
        words = ["python", "-c", code, str(repository.path), str(mirror.path)]
        with subprocess.Popen(words, start_new_session=True, stderr=subprocess.DEVNULL) as running:
            time.sleep(0.2 + chance.random() * 0.5)
            os.killpg(running.pid, signal.SIGKILL)
    mirror.fetch()
    assert mirror.branches()["b19"] == repository.git("rev-parse", "b19")
