"""What we keep in files: readable to ourselves alone, without a commit's secrets, and without live formulas."""

import csv
import io
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infraaudit.questions.csv_text import csv_text
from resources.logs.store import LogStore
from resources.machine.artifact_store import ArtifactStore
from resources.manifests.files import parse_manifests, without_secrets
from resources.targets.target import LogLine

RENDERED = """
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {password: hunter2}
data: {token: aHVudGVyMg==}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: shown}
data: {a: b}
"""


def test_the_manifests_that_are_kept_and_shown_hold_no_secret() -> None:
    kept = without_secrets(RENDERED)
    assert "hunter2" not in kept and "aHVudGVyMg" not in kept
    secret, config = parse_manifests(kept)
    assert secret["stringData"] == {"password": "***"} and config["data"] == {"a": "b"}
    assert without_secrets("kind: Service\n") == "kind: Service\n", "what holds none stays byte for byte"


def test_files_of_commits_and_logs_are_our_own(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = ArtifactStore(tmp_path / "state", tmp_path / "reports").keep("deployments", "shop", "a", "m.yaml", b"x")
        store = LogStore(tmp_path / "logs")
        store.append("production", [LogLine(datetime.now(UTC), "web", "password=hunter2")])
    finally:
        os.umask(before)
    files = [path, *store.plain_files("production")]
    assert [oct(file.stat().st_mode & 0o777) for file in files] == ["0o600", "0o600"]
    assert "hunter2" not in files[1].read_text()


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\n=1", "\r=1", "＝1+1", "a\r=1"], ids=ascii
)
def test_no_cell_is_a_formula(cell: str) -> None:
    ((_,), (shown,)) = csv.reader(io.StringIO(csv_text(["a"], [[cell]]), newline=""))
    assert shown.startswith(("'", "a\n"))
