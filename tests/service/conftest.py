"""A history as a pipeline leaves it, and a service over it."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from starlette.testclient import TestClient

from infraaudit.questions.asked import ProjectRules
from infraaudit.scans.lifecycles import follow_deploy_branch
from infraaudit_domain.commits import Commit
from infraaudit_domain.delivery.analysis import Measured
from infraaudit_domain.delivery.approvals import Approval, Leave
from infraaudit_domain.delivery.deployments import Deployment, Outcome, Release
from infraaudit_domain.delivery.images import Image
from infraaudit_domain.delivery.looks import Look
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun
from infraaudit_domain.forge.change_requests import ChangeRequest, RequestState
from infraaudit_domain.judging.audit_log import Actor, Via
from infraaudit_domain.judging.live import LiveJudgement
from infraaudit_domain.judging.suppressions import Suppression
from infraaudit_domain.judging.triage import Action, Event, Ruling
from infraaudit_domain.judging.verdicts import Verdict
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.notices import Notice
from infraaudit_domain.scans.evidence import Evidence
from infraaudit_domain.scans.findings import (
    Finding,
    FindingStatus,
    FrameworkScan,
    Scan,
    ScanStatus,
    Severity,
    UnreadableFile,
)
from resources.history import History
from resources.history.decisions.approvals import approve
from resources.history.decisions.judgements import record_judgement
from resources.history.decisions.measurements import record_measurements
from resources.history.decisions.rejections import reject
from resources.history.decisions.triage import record_events
from resources.history.forge.change_requests import store_request
from resources.history.looks import note_look
from resources.history.outbox import write_notices
from resources.machine.inbox import Inbox
from service import webhook
from service.app import ServiceOptions, build_app
from service.received import Received
from tests.infraaudit.scans.made_scans import PretendMirror
from tests.resources.databases import DATABASES, fresh_history, history_like
from tests.service.receivers import Receiver

SECRET = "a secret of the project"
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)
SHAS = [f"{n}" * 40 for n in range(1, 5)]
HOSTILE = "<script>alert(1)</script>\x1b[31m"


def finding(
    check: str, line: int = 1, status: FindingStatus = FindingStatus.OPEN, severity: Severity = Severity.HIGH
) -> Finding:
    name = f"name of {check} {HOSTILE}"
    return Finding(
        "terraform", check, name, f"main/{HOSTILE}.tf", "aws_s3_bucket.a", line, line + 2, 0, status, severity=severity
    )


A, B, C = finding("CKV_A"), finding("CKV_B", severity=Severity.CRITICAL), finding("CKV_C", severity=Severity.LOW)
SCANS = [(A, B), (finding("CKV_A", 9), C), None, (A, B, finding("CKV_D", status=FindingStatus.SUPPRESSED))]
"""What four commits have: B is fixed by the second and comes back with the fourth; the third's scan crashed."""
OUTCOMES = [Outcome.DEPLOYED, Outcome.ROLLED_BACK, Outcome.SUPERSEDED, Outcome.DEPLOYED]

RULES = ProjectRules(
    suppressions=(Suppression("no need", "ops", date.max, check="CKV_A"),),
    max_age_days={Severity.CRITICAL: 0.0},
    mirror=PretendMirror(SHAS),
)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return history_of_four_commits(tmp_path)


def history_of_four_commits(folder: Path) -> History:
    return history_like(_four_commits, folder)


def _four_commits(past: History) -> None:
    past.migrate()
    shop = Project("shop", "https://example.org/shop.git")
    past.record_project(shop)
    for index, sha in enumerate(SHAS):
        _record(past, index, sha)
    follow_deploy_branch(past, PretendMirror(SHAS), shop)
    ruling = Ruling(Action.ASSIGN, f"reason {HOSTILE}", f"owner {HOSTILE}")
    assigned = Event(B.fingerprint, SHAS[3], ruling, "eve", START + timedelta(hours=4))
    facts = {"check_id": "CKV_B", "file_path": B.file_path, "resource": B.resource, "severity": "critical"}
    record_events(past, "shop", [assigned], {B.fingerprint: facts}, Actor("eve", Via.API, "192.0.2.1"), B.fingerprint)
    past.record_log_counts("shop", "production", START.date().isoformat(), {(SHAS[0], "info"): 3})
    write_notices(past, [Notice("key", "shop", "title", "body")])
    words = (f"title {HOSTILE}", f"author {HOSTILE}", RequestState.OPEN)
    branches = ("a/shop", f"topic {HOSTILE}", "main")
    store_request(past, "shop", ChangeRequest(7, *words, SHAS[3], *branches, True, START))


@pytest.fixture
def received(history: History, tmp_path: Path) -> Received:
    return Received(Inbox(tmp_path / "inbox"), history)


@pytest.fixture
def client(history: History, received: Received) -> TestClient:
    options = ServiceOptions(
        ["shop"], {"shop": ["an older one", SECRET]}, rules=lambda _: RULES, addresses={"shop": 0, "bank": 2}
    )
    return TestClient(build_app(history, options, received=received))


def _record(past: History, index: int, sha: str) -> None:
    then = START + timedelta(hours=index)
    parents = (SHAS[index - 1],) if index else ()
    past.record_commit("shop", Commit(sha, sha, parents, "Ada", "ada@example.org", then, then, f"commit {HOSTILE}"))
    past.record_image("shop", sha, Image(f"shop:{sha[:12]}", f"sha256:{sha}", 1_000_000 + index, 3.5, sha))
    past.record_test_run(
        "shop",
        sha,
        TestRun(
            (
                TestCase("a", CaseOutcome.PASSED, 0.1),
                TestCase(f"b {HOSTILE}", CaseOutcome.FAILED, 0.1, f"assert {HOSTILE}"),
            ),
            1.0,
        ),
    )
    found = SCANS[index]
    state = ScanStatus.FAILED if found is None else ScanStatus.COMPLETE
    unread, proven = (UnreadableFile("other.tf", f"broken {HOSTILE}"),), Evidence(3)
    part = FrameworkScan("terraform", f"key-{index}", state, found or (), unread, evidence=proven)
    past.record_scan("shop", Scan(sha, (part,), "3.3", "config", then, 2.0))
    for stage, outcome in (
        ("docker_image", StageOutcome.SUCCEEDED),
        ("deployment", StageOutcome.FAILED if index == 1 else StageOutcome.SUCCEEDED),
    ):
        reason = f"it said {HOSTILE}" if outcome is StageOutcome.FAILED else ""
        past.record_stage("shop", sha, stage, outcome, then, then + timedelta(seconds=20), f"run-{index}", reason)
    end = then + timedelta(minutes=10)
    if index == 0:
        reject(past, "shop", sha, "it loses orders", "ada")
    approve(past, Approval("shop", "production", sha, Leave.DEPLOY, "eve", f"it said {HOSTILE}", then))
    worst = Measured("error rate", f"errors {HOSTILE}", "at most 0.01", 0.5, False)
    record_measurements(past, Release("shop", "production", sha, "image", ""), then, [worst])
    if OUTCOMES[index] is Outcome.DEPLOYED:
        record_judgement(past, LiveJudgement("shop", "production", sha, Verdict((HOSTILE,)), "rules", then))
    note_look(past, "shop", "production", Look(True, "as it was deployed", SHAS[2]), START)
    past.record_deployment(
        Deployment(
            "shop",
            "production",
            sha,
            "container",
            OUTCOMES[index],
            then,
            end,
            "image",
            url="http://127.0.0.1:9",
            reason=f"the pod said {HOSTILE}" if index == 1 else "",
        ),
        [(sha, then)] if OUTCOMES[index] is Outcome.DEPLOYED else (),
    )


@pytest.fixture
def served(history: History, received: Received, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The service behind a real socket; its port."""
    monkeypatch.setattr(webhook, "BODY_SECONDS", 1.0)
    app = build_app(history, ServiceOptions(["shop"], {"shop": [SECRET]}), received=received)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=asyncio.run, args=(server.serve(),), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield int(server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def receivers() -> Iterator[list[Receiver]]:
    servers = [Receiver(), Receiver()]
    threads = [threading.Thread(target=server.serve_forever, args=(0.01,)) for server in servers]
    for thread in threads:
        thread.start()
    yield servers
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(params=DATABASES)
def past(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)
