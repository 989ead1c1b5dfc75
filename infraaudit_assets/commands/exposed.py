"""What `infraaudit exposed` does before it is answered: scan what was live, where no stored scan answers.

Scans go into a history in a folder of its own, which ends with the command. Deliberately absent: the answer
(infraaudit/questions/replay/exposed.py).
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError, RepositoryError
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import Scan, ScanStatus, Severity

if TYPE_CHECKING:
    from infraaudit.questions.asked import Asked
    from infraaudit.scans.scan_live import LiveCommit
    from resources.checkov import CheckovRunner
    from resources.checkov.rule_file import Rule
    from resources.git.mirror import Mirror
    from resources.history import History


def with_live_scans(
    project: Project, asked: "Asked", until: ExitStack, rule: Path | None, max_scans: int | None
) -> "Asked":
    """The question over what was live, scanned by the scanner of now for the check, or for the rule of a file."""
    from infraaudit.scans.scan_live import live_first, scan_live
    from resources.checkov.rule_file import RuledParent, read_rule, was_asked
    from resources.history import History
    from resources.history.scan_results import rate

    if bool(rule) == bool(asked.text("check")):
        raise ConfigurationError("Give either --check ID or --rule FILE.")
    own = read_rule(rule) if rule else None
    wanted = live_first(asked.line, asked.environments(), asked.now)
    known = set() if own else _known(asked.history, project.name, wanted)
    left = [one for one in wanted if one.sha not in known]
    if not left or (max_scans == 0 and own is None):
        return asked
    mirror = asked.line_with_git().mirror
    folder = Path(until.enter_context(TemporaryDirectory(dir=_scratch(), prefix="exposed-")))
    beside = History(f"sqlite:///{folder}/history.db")
    until.callback(beside.close)
    beside.migrate()
    check = own.id if own else asked.text("check")
    rate(beside, _severities(own))
    # What an earlier scanner said is better than nothing; the answer says that it is an earlier one's.
    fresh_ones = {one.sha for one in left[:max_scans]}
    stored = (asked.history.scan(project.name, one.sha) for one in wanted if one.sha not in fresh_ones and own is None)
    with _scanner(asked.history, beside, folder, own) as runner:
        if isinstance(runner.parent, RuledParent):
            runner.parent.require_rule(folder)
        fresh = _scanned(runner, mirror, project, left[:max_scans], len(left))
        scans = [scan for some in (stored, fresh) for scan in some if scan is not None]
        line = scan_live(asked.line, project, mirror, beside, check, scans)
    if not any(was_asked(check, scan) for scan in scans):
        print(f"No resource of what was live is one that {check} is about: is it the right one?", file=sys.stderr)
    return replace(asked, line=line, given={**asked.given, "check": check})


def _known(history: "History", project: str, wanted: "Sequence[LiveCommit]") -> set[str]:
    """The commits that the scanner of now has scanned."""
    from infraaudit_domain.retention import PRUNED
    from infraaudit_domain.scans.evidence import RULES
    from resources.checkov.versions import scanner_version

    scans = {one.sha: history.scan(project, one.sha) for one in wanted}
    of_now = (scanner_version(), RULES)
    return {
        sha
        for sha, scan in scans.items()
        if scan and scan.status is not ScanStatus.FAILED and (scan.scanner_version, scan.rules) == of_now
        if all(part.reason != PRUNED for part in scan.frameworks)
    }


def _scratch() -> Path:
    folder = settings().state.scans
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _severities(rule: "Rule | None") -> dict[str, Severity]:
    from resources.configuration.severities import read_severities

    rated = dict(read_severities(settings().severities, settings().checks_file))
    return {rule.id: rule.severity} | rated if rule else rated


def _scanner(history: "History", beside: "History", folder: Path, rule: "Rule | None") -> "CheckovRunner":
    """What a rule says is used again within this command alone; what Checkov says, from the history too."""
    from resources.checkov import CheckovRunner
    from resources.checkov.rule_file import RULED, RuledParent

    severities = _severities(rule)
    if rule is None:
        return CheckovRunner(settings().state.scans, severities, reuse=history.framework_scan)
    state = settings().state.scans.resolve()
    return CheckovRunner(
        folder,
        severities,
        reuse=beside.framework_scan,
        parent=lambda scratch, limits, _: RuledParent(scratch, limits, state, rule),
        frameworks=RULED,
    )


def _scanned(
    runner: "CheckovRunner", mirror: "Mirror", project: Project, wanted: "Sequence[LiveCommit]", of: int
) -> Iterator[Scan]:
    """The scans, as far as Ctrl-C lets them go: what was not scanned is unknown."""
    from infraaudit_assets.commands.progress import progress

    with progress() as bar:
        task = bar.add_task("scanning what was live", total=len(wanted))
        for number, one in enumerate(wanted):
            bar.update(task, description=f"scanning {one.sha[:12]}, live for {one.hours:.1f} h")
            try:
                scan = runner.scan(mirror, one.sha, project.paths.checkov_config)
            except KeyboardInterrupt:
                print(f"Interrupted: {of - number} commits that were live are not scanned.", file=sys.stderr)
                return
            except RepositoryError:  # a force-push took it away
                continue
            yield scan
            bar.advance(task)
    if of > len(wanted):
        print(f"--max-scans was reached: {of - len(wanted)} commits that were live are not scanned.", file=sys.stderr)
