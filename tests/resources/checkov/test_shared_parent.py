"""The Checkov process that an installation shares is the same wherever it was started."""

from functools import partial
from pathlib import Path

import pytest

from resources.checkov import CheckovRunner
from resources.checkov.parent import SharedParent
from tests.conftest import Repository

pytestmark = pytest.mark.slow


def test_nothing_of_the_folder_that_it_is_started_in_is_read(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand, reached = tmp_path / "checkout", tmp_path / "reached"
    (stand / "checks").mkdir(parents=True)
    (stand / ".checkov.yaml").write_text("external-checks-dir: [checks]\n")
    for name in ("checks/__init__.py", "checks/evil.py", "checkov.py"):
        (stand / name).write_text(f"open({str(reached)!r}, 'w')")
    sha = repository.write({"Dockerfile": "FROM a\n"}, "one")
    monkeypatch.chdir(stand)
    with CheckovRunner(tmp_path / "scans", {}, parent=partial(SharedParent, idle_seconds=1)) as runner:
        scan = runner.scan(repository.mirror(), sha, "none")
        assert scan.findings and list((tmp_path / "scans" / "server").glob("*.socket")), "it is the shared one"
    assert not reached.exists()
