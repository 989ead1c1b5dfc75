"""`infraaudit prune`, `backup`, `restore` and `history` as a user runs them, on the files of one machine."""

import json
import os
import subprocess
import sys
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import dagster as dg
import pytest
from dagster._core.storage.dagster_run import DagsterRun

from infraaudit_domain.commits import Commit
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.scans.findings import Finding, FrameworkScan, Scan, ScanStatus
from resources.history import History
from tests import ROOT

OLD = datetime(2020, 1, 1, tzinfo=UTC)
SHAS = {name: f"{number:040x}" for number, name in enumerate(("gone", "live", "newest"))}


class Home:
    """An installation's home; commands run in it as a user would start them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "projects.yaml").write_text('projects: [{name: shop, url: "https://example.org/shop.git"}]')
        self.environment = os.environ | {
            "INFRAAUDIT_HOME": str(folder), "INFRAAUDIT_PROJECTS": str(folder / "projects.yaml"),
            "INFRAAUDIT_REPORTS": str(folder / "reports"),
        }  # fmt: skip
        self.history = History(f"sqlite:///{folder / 'history.db'}")

    def infraaudit(
        self, *words: str, stdin: IO[bytes] | None = None, stdout: IO[bytes] | int = subprocess.PIPE
    ) -> subprocess.CompletedProcess[str]:
        program = Path(sys.executable).with_name("infraaudit")
        return subprocess.run(
            [program, *words], cwd=ROOT, env=self.environment, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, text=True
        )  # fmt: skip

    def fill(self) -> None:
        """Three old commits, all with a scan and a report; the second is live, the newest always stays."""
        self.history.migrate()
        for number, sha in enumerate(SHAS.values()):
            moment = OLD + timedelta(days=number)
            self.history.record_commit("shop", Commit(sha, "t", (), "Ada", "a@x", moment, moment, "s"))
            finding = Finding("terraform", "CKV_AWS_18", "logging", "main.tf", "bucket", 1, 4)
            part = FrameworkScan("terraform", sha, ScanStatus.COMPLETE, (finding,), (), 1.5, "", reused=False)
            self.history.record_scan("shop", Scan(sha, (part,), "3.3", "c", moment, 1.0, ()))
            report = self.folder / "reports" / "shop" / f"{sha}.json"
            report.parent.mkdir(parents=True, exist_ok=True)
            report.write_text("{}")
        live = Deployment("shop", "production", SHAS["live"], "container", Outcome.DEPLOYED, OLD, OLD)
        self.history.record_deployment(live)
        with self.history.writing() as connection:  # It is now that record_commit records.
            connection.exec_driver_sql("UPDATE commits SET recorded_at = committed_at")

    def dagster(self) -> dg.DagsterInstance:
        (self.folder / "dagster").mkdir(exist_ok=True)
        return dg.DagsterInstance.from_config(str(self.folder / "dagster"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_prune_takes_what_is_old_and_leaves_what_is_live(home: Home) -> None:
    home.fill()
    dry = home.infraaudit("prune", "--older-than", "30", "--keep", "1", "--dry-run", "--json")
    assert dry.returncode == 0, dry.stderr
    assert json.loads(dry.stdout)["projects"] == {"shop": {"commits": 1}}
    with home.dagster() as instance:
        for job, sha, status in (
            ("shop_pipeline", SHAS["gone"], dg.DagsterRunStatus.SUCCESS),
            ("shop_watch", SHAS["gone"], dg.DagsterRunStatus.SUCCESS),
            ("shop_watch", SHAS["gone"], dg.DagsterRunStatus.FAILURE),
            ("shop_pipeline", SHAS["gone"], dg.DagsterRunStatus.STARTED),
            ("other_pipeline", SHAS["gone"], dg.DagsterRunStatus.SUCCESS),
            ("shop_pipeline", SHAS["live"], dg.DagsterRunStatus.SUCCESS),
        ):
            instance.add_run(DagsterRun(job, status=status, tags={"dagster/partition": sha}))
    done = home.infraaudit("prune", "--older-than", "30", "--keep", "1", "--json")
    assert done.returncode == 0, done.stderr
    row = {"commits": 1, "findings": 1, "test_cases": 0, "messages": 0, "files": 1, "runs": 3, "images": 0}
    assert json.loads(done.stdout)["projects"] == {"shop": row}
    reports = {path.stem for path in (home.folder / "reports" / "shop").iterdir()}
    assert reports == {SHAS["live"], SHAS["newest"]}
    assert home.history.framework_scan(SHAS["live"]) is not None
    assert home.history.framework_scan(SHAS["gone"]) is None
    with home.dagster() as instance:
        assert len(instance.get_runs()) == 3


def test_prune_gives_bytes_back(home: Home) -> None:
    home.fill()

    def size() -> int:
        return sum(file.stat().st_size for file in home.folder.rglob("*") if file.is_file())

    with home.history.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE large AS SELECT randomblob(3000000) AS bytes")
    with home.history.writing() as connection:
        connection.exec_driver_sql("DROP TABLE large")
    with home.dagster() as instance:
        for _ in range(3):
            run = DagsterRun(
                "shop_pipeline", status=dg.DagsterRunStatus.SUCCESS, tags={"dagster/partition": SHAS["gone"]}
            )
            instance.add_run(run)
            for _ in range(200):
                instance.report_engine_event("x" * 1000, run)
    before = size()
    done = home.infraaudit("prune", "--older-than", "30", "--keep", "1", "--json")
    freed = json.loads(done.stdout)["bytes_freed"]
    assert freed > 3_500_000 and done.stderr == ""
    assert before - size() == pytest.approx(freed, abs=200_000)
    assert not [file for file in (home.folder / "dagster/history/runs").glob("*") if "index" not in file.name]


def test_a_backup_is_restored_into_another_home_and_never_over_one(home: Home, tmp_path: Path) -> None:
    home.fill()
    archive = str(tmp_path / "backup.tar.gz")
    done = home.infraaudit("backup", archive, "--json")
    assert done.returncode == 0, done.stderr
    other = Home(tmp_path / "other")
    restored = other.infraaudit("restore", archive)
    assert restored.returncode == 0, restored.stderr
    assert other.history.live("shop", "production") == home.history.live("shop", "production")
    assert (other.folder / "reports" / "shop" / f"{SHAS['gone']}.json").exists()
    again = other.infraaudit("restore", archive)
    assert again.returncode == 1
    assert "already holds a history" in again.stderr


def test_a_backup_goes_through_pipes_and_leaves_out_credentials_and_itself(home: Home, tmp_path: Path) -> None:
    home.fill()
    (home.folder / ".git-credentials").write_text("https://ada:secret@example.org")
    (home.folder / ".ssh").mkdir()
    (home.folder / ".ssh" / "id_ed25519").write_text("secret")
    archive, other = tmp_path / "archive", Home(tmp_path / "other")
    with archive.open("wb") as output:
        done = home.infraaudit("backup", "-", stdout=output)
    assert done.returncode == 0 and " rows and " in done.stderr
    with tarfile.open(archive) as tar:
        assert not [name for name in tar.getnames() if "/." in name or "secret" in name]
    with archive.open("rb") as source:
        restored = other.infraaudit("restore", "-", stdin=source)
    assert restored.returncode == 0, restored.stderr
    assert other.history.live("shop", "production") == home.history.live("shop", "production")
    assert [path.name for path in home.folder.iterdir() if path.name.startswith(".backup-")] == []


def test_a_history_is_exported_and_imported(home: Home, tmp_path: Path) -> None:
    home.fill()
    file = str(tmp_path / "history.db")
    assert home.infraaudit("history", "export", file).returncode == 0
    assert home.infraaudit("history", "export", file).returncode == 2
    other = Home(tmp_path / "other")
    done = other.infraaudit("history", "import", file, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] > 9
    assert other.history.scan("shop", SHAS["gone"]) == home.history.scan("shop", SHAS["gone"])
