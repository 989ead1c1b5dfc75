"""The service as a process of its own, a real Git repository, and a forge: a push is pending there at once, and whatever
is killed or away, what became of it arrives."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.reporting.forge_address import ForgeKind
from resources.history import open_history
from resources.history.forge.statuses import newest_statuses
from tests.conftest import Repository
from tests.distribution import PATIENCE
from tests.e2e.installation import Installation, bare_repository
from tests.e2e.waiting import eventually
from tests.forges.stand_in import REPOSITORY, TOKEN, StandIn, running

pytestmark = pytest.mark.e2e

_HOSTILE = "<img src=x onerror=alert(1)> @everyone [x](javascript:x)"
_QUEUED = {f"infraaudit/shop/{stage}": "pending" for stage in ("image", "tests", "scan")}


def _push(installation: Installation, work: Repository, forge: StandIn, text: str) -> str:
    """Commit, push, and report it as a forge does; returns the commit."""
    before = work.git("rev-parse", "HEAD")
    sha = work.write({"main.tf": text}, _HOSTILE)
    work.git("push", "--quiet", "origin", "main")
    forge.shas.add(sha)
    answer = installation.post("shop", "main", before, sha)
    assert answer is not None and answer.status_code == 202
    return sha


def test_a_push_is_pending_within_three_seconds_and_its_outcome_outlives_a_kill_and_a_forge_that_is_away(
    tmp_path: Path,
) -> None:
    work, bare = bare_repository(tmp_path, "shop")
    work.write({"main.tf": "# 0"}, "first")
    work.git("push", "--quiet", "origin", "main")
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    with running(ForgeKind.GITHUB, []) as forge:
        given = {"kind": "github", "api": forge.forge.api, "repository": REPOSITORY}
        project = {"name": "shop", "url": str(bare), "forge": given | {"token_file": str(tmp_path / "token")}}
        installation = Installation(tmp_path / "home", [project])
        try:
            installation.start("service")
            eventually(lambda: installation.answers("service", "/healthz"), 60, "the service answers")
            began = time.monotonic()
            first = _push(installation, work, forge, "# 1")
            eventually(lambda: forge.shown(first) == _QUEUED, 30, "it is pending", between=0.05)
            took = time.monotonic() - began
            assert took < 3 * PATIENCE, took

            forge.is_away = True
            second = _push(installation, work, forge, "# 2")
            history = open_history(f"sqlite:///{installation.home}/history.db")
            eventually(lambda: any(row["sha"] == second for row in newest_statuses(history, "shop", 9)), 30)
            installation.kill("service")
            moment = datetime.now(UTC)
            for sha in (first, second):
                history.record_stage("shop", sha, "docker_image", StageOutcome.FAILED, moment, moment, "run", "x")
            forge.is_away = False
            installation.start("service")
            over = {name: "error" if name.endswith("/tests") else state for name, state in _QUEUED.items()}
            over["infraaudit/shop/image"] = "failure"
            for sha in (first, second):
                eventually(lambda sha=sha: forge.shown(sha) == over, 90, f"the outcome of {sha}")  # type: ignore[misc]
            assert _HOSTILE not in str(forge.statuses) and "onerror" not in str(forge.statuses)
        finally:
            for role in list(installation.processes):
                installation.kill(role)
