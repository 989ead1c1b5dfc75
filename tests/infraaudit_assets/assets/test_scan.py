"""One commit scanned as an asset, by the command and in a backfill: each leaves the same rows and the same report."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from infraaudit.scans.scan_commit import store_scan
from infraaudit_assets.assets.scan import build_scan_report
from infraaudit_assets.cli import app
from infraaudit_assets.connections import build_resources
from infraaudit_assets.settings import settings
from infraaudit_domain.projects import Project
from resources.history import open_history, schema
from tests.conftest import Repository
from tests.resources.databases import migrated_history

pytestmark = pytest.mark.e2e
BUCKET = 'resource "aws_s3_bucket" "{0}" {{\n  bucket = "{0}"\n}}\n'
CONFIG = "scanner/checkov_config.yaml"
TABLES = (
    schema.projects, schema.commits, schema.parents, schema.scans, schema.scan_parts, schema.framework_scans,
    schema.findings, schema.cross_scan_parts, schema.line_commits, schema.spans,
)  # fmt: skip
OF_THE_MOMENT = {"seconds", "started_at", "recorded_at"}


@pytest.fixture
def project(tmp_path: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Its first commit is scanned; the second one, the head, changes code and configuration."""
    found = Project("shop", str(repository.path), default=True)
    entry = {"name": found.name, "url": found.url, "default": True}
    (tmp_path / "projects.yaml").write_text(json.dumps({"projects": [entry]}))
    for name, value in {"HOME": tmp_path, "PROJECTS": tmp_path / "projects.yaml", "REPORTS": tmp_path / "r"}.items():
        monkeypatch.setenv(f"INFRAAUDIT_{name}", str(value))
    settings.cache_clear()
    past, given = migrated_history(tmp_path), build_resources(settings())
    first = repository.write({"a.tf": BUCKET.format("a"), CONFIG: "framework: [terraform]\n"}, "first")
    repository.write(
        {"b.tf": BUCKET.format("b"), CONFIG: "framework: [terraform]\nskip-check: [CKV_AWS_21]\n"}, "second"
    )
    past.record_project(found)
    mirror = given["git"].connect(found)  # type: ignore[attr-defined]
    mirror.fetch()
    with given["checkov"].connect(past) as scanner:  # type: ignore[attr-defined]
        store_scan(past, mirror, found, first, scanner)
    past.close()
    yield found
    settings.cache_clear()


def _as_an_asset(project: Project, head: str) -> None:
    commits = dg.DynamicPartitionsDefinition(name="commits")
    asset = build_scan_report(project, {"key_prefix": ["shop"], "partitions_def": commits})
    names = ("git", "checkov", "history", "artifacts", "notifier")
    given = {name: resource for name, resource in build_resources(settings()).items() if name in names}
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("commits", [head])
        assert dg.materialize([asset], partition_key=head, instance=instance, resources=given).success


def _by_the_command(project: Project, head: str) -> None:
    done = CliRunner().invoke(app, ["scan", "--project", project.name, "--commit", head, "--json"])
    assert done.exit_code == 0, done.output


def _in_a_backfill(project: Project, head: str) -> None:
    done = CliRunner().invoke(app, ["scan", "--project", project.name, "--all", "--json"])
    assert done.exit_code == 0 and json.loads(done.stdout)["skipped"] == 1, done.output


def test_every_way_to_scan_a_commit_leaves_the_same(
    project: Project, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (tmp_path / "history.db").read_bytes()
    left = []
    for number, scan in enumerate((_as_an_asset, _by_the_command, _in_a_backfill)):
        (tmp_path / f"{number}.db").write_bytes(before)
        monkeypatch.setenv("INFRAAUDIT_DATABASE_URL", f"sqlite:///{tmp_path / f'{number}.db'}")
        settings.cache_clear()
        shutil.rmtree(tmp_path / "r", ignore_errors=True)
        scan(project, repository.git("rev-parse", "HEAD"))
        report = json.loads((tmp_path / "r" / "latest_scan.json").read_text())
        left.append((_rows(), {name: value for name, value in report.items() if name != "scanned_at"}))
    rows, report = left[0]
    assert all(rows.values()), f"each table has rows: {rows}"
    assert left == [left[0]] * 3
    assert report["commit"] == repository.git("rev-parse", "HEAD") and report["compared_with"]


def _rows() -> dict[str, list[str]]:
    past, found = open_history(settings().history_url), dict[str, list[str]]()
    with past.reading() as connection:
        for table in TABLES:
            rows: Any = connection.execute(sa.select(table)).mappings()
            found[table.name] = sorted(
                repr({name: value for name, value in row.items() if name not in OF_THE_MOMENT}) for row in rows
            )
    past.close()
    return found
