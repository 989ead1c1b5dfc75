"""The check of what is live, run by hand: its findings come with where to read about them."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from infraaudit_assets.assets.live_gate import build_live_gate_check
from resources.dagster.resources import GitResource, HistoryResource
from resources.history import History
from tests.conftest import Repository
from tests.infraaudit.scans.made_scans import finding
from tests.infraaudit.test_gate import PROJECT, Release
from tests.resources.databases import migrated_history

LINK = "https://wiki.example.org/1"


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = migrated_history(tmp_path)
    yield made
    made.close()


def test_findings_that_would_not_be_let_in_are_listed_with_their_links(
    history: History, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = Release(history, repository, tmp_path / "configs")
    release.deploy(release.commit(finding("x")))
    (release.configs / "gate.yaml").write_text("open: {high: 0}\nnew: {}\n")
    (release.configs / "checks.yaml").write_text(f"checks: {{CKV_1: {{link: {LINK}}}}}\n")
    (tmp_path / "remedies.csv").write_text("check_id,link\n")
    resource = HistoryResource(
        url=release.history.url, gate_file=str(release.configs / "gate.yaml"),
        remedies=str(tmp_path / "remedies.csv"), checks=str(release.configs / "checks.yaml"),
    )  # fmt: skip
    monkeypatch.setattr(GitResource, "connect", lambda *_: repository.mirror())
    check = build_live_gate_check(PROJECT, ["p"], PROJECT.environment)
    done = check(dg.build_asset_check_context(), git=GitResource(state=str(tmp_path)), history=resource)
    assert isinstance(done, dg.AssetCheckResult) and not done.passed
    assert LINK in str(done.metadata["findings"])
