"""The past of a repository, scanned by the program itself: in every way, killed, interrupted, and through Dagster."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from infraaudit_domain.scans.checkov_config import DEFAULT_FRAMEWORKS
from infraaudit_domain.scans.checkov_report import parse_report
from infraaudit_domain.scans.findings import Finding, FrameworkScan
from resources.checkov import CheckovRunner
from resources.checkov.secret_key import secret_key
from resources.history import History, open_history, schema
from tests import ROOT
from tests.conftest import Repository, free_port
from tests.e2e.waiting import eventually

pytestmark = pytest.mark.e2e
PROGRAM = Path(sys.executable).with_name("infraaudit")
FIXTURE = ROOT / "tests/resources/checkov/fixture/app"
BUCKET = 'resource "aws_s3_bucket" "b{0}" {{\n  bucket = "b{0}"\n}}\n'
OPEN = '  ingress {{\n    cidr_blocks = ["0.0.0.0/{0}"]\n    from_port = 22\n    to_port = 22\n  }}\n'


@dataclass(frozen=True)
class Installation:
    """A project of one repository with a past, and the program on its own state."""

    home: Path
    repository: Repository

    @property
    def environment(self) -> dict[str, str]:
        own = {"HOME": self.home, "PROJECTS": self.home / "projects.yaml", "REPORTS": self.home / "reports"}
        words = {f"INFRAAUDIT_{name}": str(value) for name, value in own.items()}
        return os.environ | words | {"INFRAAUDIT_ENGINE": "none", "INFRAAUDIT_TARGET": "none"}

    def start(self, *words: str, **environment: str) -> "subprocess.Popen[str]":
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        program = [PROGRAM]
        if words[0] == "up":
            pipes["stdout"] = (self.home / "up.log").open("w")
            program = ["env", "--ignore-signal=INT", PROGRAM]  # as a shell starts what stands before a `&`
        return subprocess.Popen([*program, *words], env=self.environment | environment, cwd=self.home, **pipes)

    def scan(self, *words: str) -> "subprocess.Popen[str]":
        return self.start("scan", "--project", "past", *words)

    @property
    def history(self) -> History:
        return open_history(f"sqlite:///{self.home / 'history.db'}")

    def forget(self) -> None:
        for path in (*self.home.glob("history.db*"), self.home / "reports"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def facts(self) -> dict[str, list[Any]]:
        """Everything that the scans say, and the lives that follow, without what two scans never share."""
        tables = (schema.scan_parts, schema.framework_scans, schema.findings, schema.spans, schema.line_commits)
        passing = ("seconds", "reused")
        with self.history.reading() as connection:
            found = {
                table.name: [
                    {name: value for name, value in row.items() if name not in passing}
                    for row in connection.execute(sa.select(table)).mappings()
                ]
                for table in tables
            }
            found["scans"] = list(map(tuple, connection.execute(sa.select(schema.scans.c.sha, schema.scans.c.status))))
        return {name: sorted(map(repr, rows)) for name, rows in found.items()}


@pytest.fixture
def installation(repository: Repository, tmp_path: Path) -> Installation:
    home = tmp_path / "home"
    home.mkdir()
    entry = {"name": "past", "url": str(repository.path), "default": True, "first_commits": 1}
    (home / "projects.yaml").write_text(json.dumps({"projects": [entry]}))
    shutil.copytree(FIXTURE, repository.path, dirs_exist_ok=True)
    repository.write({}, "fixture")
    return Installation(home, repository)


def write_past(repository: Repository, commits: int) -> list[str]:
    """Every commit scans Terraform anew; findings come, move, go and come back."""
    for number in range(commits):
        port = OPEN.format(number % 2) if number % 3 else ""
        group = f'resource "aws_security_group" "g" {{\n  description = "{number}"\n{port}}}\n'
        files = {"group.tf": "\n" * number + group, f"bucket{number % 4}.tf": BUCKET.format(number)}
        repository.write({**files, "Dockerfile": f"FROM debian:{number // 4}\n"}, str(number))
    return repository.git("rev-list", "--reverse", "HEAD").split()


def plain(findings: Iterable[Finding]) -> set[tuple[Any, ...]]:
    return {(f.fingerprint, f.file_path, f.line_start, f.line_end, f.status, f.ordinal) for f in findings}


@pytest.mark.timeout(300)
def test_every_way_to_scan_finds_what_a_fresh_checkov_finds(installation: Installation, tmp_path: Path) -> None:
    shas = write_past(installation.repository, 2)
    assert installation.scan("--all", "--workers", "2").wait() == 0
    mirror, scratch = installation.repository.mirror(), installation.home / "scans"
    known: dict[str, FrameworkScan] = {}
    argv = [str(PROGRAM.with_name("checkov")), "-o", "json", "--skip-download", "--framework", *DEFAULT_FRAMEWORKS]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    with CheckovRunner(scratch, {}) as anew, CheckovRunner(scratch, {}, known.get) as reusing:
        for sha in shas:
            with mirror.checkout(sha, tmp_path / "tree") as tree:
                done = subprocess.run(
                    [*argv, "-d", tree], capture_output=True, text=True, env=environment, cwd=tmp_path
                )
                reports = parse_report(done.stdout, str(tree), secret_key(scratch))
            truth = plain(finding for report in reports for finding in report.findings)
            again = reusing.scan(mirror, sha, "none")
            known |= {one.scan_key: one for one in again.frameworks}
            stored = installation.history.scan("past", sha)
            assert stored is not None and len(truth) > 30
            assert truth == plain(anew.scan(mirror, sha, "none").findings) == plain(again.findings)
            assert truth == plain(stored.findings)
    assert any(one.reused for one in again.frameworks)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [4, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2, 3))])
def test_killed_at_random_nothing_is_doubled_lost_or_closed(installation: Installation, seed: int) -> None:
    shas = write_past(installation.repository, 12)
    assert installation.scan("--all").wait() == 0
    undisturbed = installation.facts()
    assert len(undisturbed["scans"]) == len(shas) and undisturbed["spans"]
    truth = {sha: plain(scan.findings) for sha in shas if (scan := installation.history.scan("past", sha))}
    installation.forget()
    chance, killed = random.Random(seed), 0
    for _ in range(25):
        scanning = installation.scan("--all", "--workers", "2")
        if killed < 6:
            time.sleep(chance.uniform(0.5, 5))
            killed += _kill_one(scanning.pid, chance)
        code = scanning.wait()
        for sha in shas:
            kept = installation.history.scan("past", sha)
            assert kept is None or kept.status == "failed" or plain(kept.findings) == truth[sha]
        if code == 0:
            break
    assert code == 0 and killed > 2
    assert installation.facts() == undisturbed
    assert json.loads((installation.home / "reports/latest_scan.json").read_text())["commit"] == shas[-1]


def _kill_one(program: int, chance: random.Random) -> int:
    """Kill the program, one of its Checkov parents, or a scan below one of those; 0 where it had ended."""
    try:
        parents = [pid for pid in _children(program) if "resources.checkov" in Path(f"/proc/{pid}/cmdline").read_text()]
        scans = [pid for parent in parents for pid in _children(parent)]
        victim = chance.choice([[program], parents or [program], scans or parents or [program]])
        os.kill(chance.choice(victim), signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 1


def _children(pid: int) -> list[int]:
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text().split()]


@pytest.mark.timeout(120)
def test_an_interrupt_keeps_what_is_scanned_and_the_next_call_goes_on(installation: Installation) -> None:
    shas = write_past(installation.repository, 14)
    scan = installation.scan("--all")
    eventually(lambda: (installation.home / "history.db").exists() and len(_scanned(installation)) >= 2)
    scan.send_signal(signal.SIGINT)
    said = scan.communicate()[0]
    kept = _scanned(installation)
    assert scan.returncode == 130, said
    assert 2 <= len(kept) < len(shas)
    assert f"Interrupted: {len(shas) - len(kept)} commits are left" in said
    again = installation.scan("--all", "--json")
    result = json.loads(again.communicate()[0])
    assert (result["scanned"], result["skipped"]) == (len(shas) - len(kept), len(kept))
    assert again.returncode == 0 and len(_scanned(installation)) == len(shas)


def _scanned(installation: Installation) -> list[str]:
    with installation.history.reading() as connection:
        return list(connection.execute(sa.select(schema.scans.c.sha)).scalars())


@pytest.mark.timeout(300)
def test_a_dagster_backfill_scans_the_past_and_moves_nothing(installation: Installation) -> None:
    first, *past, head = write_past(installation.repository, 3)
    latest = installation.home / "reports/latest_scan.json"
    dagster, service = free_port(), free_port()
    ports = {"INFRAAUDIT_DAGSTER_URL": f"http://127.0.0.1:{dagster}", "INFRAAUDIT_SERVICE_PORT": str(service)}
    up = installation.start("up", "--port", str(dagster), **ports)
    try:
        eventually(latest.exists, 120)  # the sensor has had the head scanned, and nothing before it
        published = latest.read_bytes()
        words = ("scan", "--project", "past", "--range", f"{first}..{past[-1]}", "--dagster", "--json")
        handed = installation.start(*words, **ports)
        reported = json.loads(handed.communicate()[0])
        assert handed.returncode == 0 and reported["commits"] == len(past)
        eventually(lambda: _status(dagster, reported["backfill"]) == "COMPLETED_SUCCESS", 120)
    finally:
        up.terminate()
        assert up.wait(60) == 0
    assert set(_scanned(installation)) == {*past, head}
    assert all(scan.status == "complete" for sha in past if (scan := installation.history.scan("past", sha)))
    assert latest.read_bytes() == published and json.loads(published)["commit"] == head
    with installation.history.reading() as connection:
        assert not connection.execute(sa.select(schema.deployments)).all()
        stages = sa.select(schema.stages.c.stage).where(schema.stages.c.sha.in_(past))
        assert set(connection.execute(stages).scalars()) == {"scan_report"}


def _status(port: int, backfill: str) -> str:
    import httpx

    query = "query($b:String!){partitionBackfillOrError(backfillId:$b){... on PartitionBackfill{status}}}"
    body = {"query": query, "variables": {"b": backfill}}
    answer = httpx.post(f"http://127.0.0.1:{port}/graphql", json=body, timeout=60).json()
    return str(answer["data"]["partitionBackfillOrError"].get("status"))
