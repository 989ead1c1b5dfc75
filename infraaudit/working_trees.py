"""What the commit of a working tree would get, before it is one: the parts of the pipeline that need no engine.

Its manifests within the policy of every environment, its Prometheus and Grafana files, its scan against the commit that
it is compared with, and the gate. Deliberately absent: the build, the tests and the rollout, and with them whether they
would pass; what is live anywhere, because an installation knows that and a checkout does not.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from infraaudit.accepted import suppressions_by
from infraaudit.deploying.release import build_release
from infraaudit.gate import judge_commit
from infraaudit.pages.grafana_dashboard import check_dashboard
from infraaudit.scans.against_parent import CountedScan, counted_scan
from infraaudit.scans.cross_scanning import Runner
from infraaudit.scans.scan_commit import follow_up, store_scan
from infraaudit_domain.delivery.test_plans import BY_CONFIGURATION, NoTests, TestCommand
from infraaudit_domain.errors import InfraAuditError, excerpt
from infraaudit_domain.judging.verdicts import Verdict
from infraaudit_domain.projects import Environment, Project
from infraaudit_domain.scans.findings import Scan
from resources.git.mirror import Mirror
from resources.git.working_tree import Snapshot
from resources.history import History
from resources.prometheus import check_prometheus, render_prometheus

_IMAGE = "registry.invalid/not-built@sha256:" + "0" * 64
"""Stands where the image will: nothing pulls it."""
_FILE_LIMIT = 1024 * 1024


class State(StrEnum):
    GOOD = "good"
    REFUSED = "refused"
    ABSENT = "absent"
    """There is nothing to judge: no such file."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the pipeline and what it would say."""

    part: str
    state: State
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a working tree's commit would get."""

    parts: tuple[Part, ...]
    scan: Scan
    counted: CountedScan
    """The scan with today's suppressions, and what it changes."""

    @property
    def passes(self) -> bool:
        return all(part.state is not State.REFUSED for part in self.parts)


def foresee(
    snapshot: Snapshot, project: Project, history: History, runner: Runner, scratch: Path, gate_file: Path
) -> Foreseen:
    """Judge a working tree as its commit would be judged. Raises InfraAuditError where it cannot be scanned at all.

    ``history`` holds no other commits than those of this checkout; stored scans are used again.
    """
    history.record_project(project)
    mirror, sha = snapshot.mirror, snapshot.sha
    with runner() as scanner:
        for commit in filter(None, (snapshot.base, sha)):
            if history.scan(project.name, commit) is None:
                store_scan(history, mirror, project, commit, scanner)
    follow_up(history, mirror, project, runner)
    scan = history.scan(project.name, sha)
    assert scan is not None, "it was stored just now"
    now = datetime.now(UTC)
    suppressions = suppressions_by(history, gate_file.parent, project.name)
    verdict = judge_commit(history, mirror, project, project.environment.name, sha, gate_file, now)
    return Foreseen(
        (*files(mirror, sha, project, scratch, gate_file), _of_verdict(verdict)),
        scan,
        counted_scan(history, mirror, project.name, scan, suppressions, now.date()),
    )


def files(mirror: Mirror, sha: str, project: Project, scratch: Path, gate_file: Path) -> Iterator[Part]:
    """What the pipeline reads of a commit besides what it scans, judged without an engine."""
    paths = project.paths
    if not project.audit_only:
        for source in (project.first_image, *project.further_images):
            yield _present(mirror, sha, source.dockerfile)
        yield _tests(mirror, sha, project)
        for environment in project.environments:
            yield _manifests(mirror, sha, project, environment, scratch, gate_file)
    yield _file("monitoring", mirror, sha, paths.prometheus, lambda text: _prometheus(project, text))
    yield _file("dashboard", mirror, sha, paths.dashboard, lambda text: str(check_dashboard(text)["title"]))


def _present(mirror: Mirror, sha: str, path: str) -> Part:
    if mirror.read(sha, path, _FILE_LIMIT) is None:
        return Part("image", State.ABSENT, f"there is no {path}: no image would be built, and nothing deployed")
    return Part("image", State.GOOD, f"{path} is there; it is not built here")


def _tests(mirror: Mirror, sha: str, project: Project) -> Part:
    match project.tests:
        case NoTests():
            return Part("tests", State.GOOD, BY_CONFIGURATION)
        case TestCommand(words):
            return Part("tests", State.GOOD, f"the command {excerpt(' '.join(words), 100)}; it is not run here")
    folder = project.paths.tests
    below = "" if folder.rstrip("/") == "." else f"{folder.rstrip('/')}/"
    found = [one for one in mirror.tree(sha) if one.path.startswith(below) and one.path.endswith(".py")]
    if not found:
        return Part("tests", State.ABSENT, f"there is no Python file below {folder}: nothing would be deployed")
    return Part("tests", State.GOOD, f"{len(found)} files below {folder}; they are not run here")


def _manifests(
    mirror: Mirror, sha: str, project: Project, environment: Environment, scratch: Path, gate_file: Path
) -> Part:
    part = f"manifests of {environment.name}"
    wanted = environment.manifests or project.paths.manifests
    tree = {one.path for one in mirror.tree(sha)}
    if not any(path in tree or any(one.startswith(f"{path}/") for one in tree) for path in wanted):
        return Part(part, State.ABSENT, f"there is none of {', '.join(wanted)}: nothing would be deployed")
    try:
        build_release(
            mirror, scratch, project, environment, sha, _IMAGE, gate_file, [_IMAGE] * len(project.further_images)
        )
    except InfraAuditError as error:
        return Part(part, State.REFUSED, str(error))
    return Part(part, State.GOOD, "within the policy")


def _file(part: str, mirror: Mirror, sha: str, path: str, judge: Callable[[str], str]) -> Part:
    """A file that is generated where a commit has none."""
    try:
        text = mirror.read(sha, path, _FILE_LIMIT)
        if text is None:
            return Part(part, State.ABSENT, f"there is no {path}: a generated one would be used")
        return Part(part, State.GOOD, judge(text.decode("utf-8", "replace")))
    except InfraAuditError as error:
        return Part(part, State.REFUSED, str(error))


def _prometheus(project: Project, text: str) -> str:
    config = render_prometheus(project.name, text, [])
    checked = f"checked by {check_prometheus(config.text)}"
    return f"{checked}; these keys are left out: {', '.join(config.ignored)}" if config.ignored else checked


def _of_verdict(verdict: Verdict) -> Part:
    state = State.GOOD if verdict.passed else State.REFUSED
    return Part("gate", state, "; ".join((*verdict.reasons, *verdict.notes)))
