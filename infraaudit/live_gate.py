"""Judge what is live in an environment by the gate of today; record the answer, and report a cause once.

Deliberately absent: undeploying, and showing it (service/workers/live_gate_worker.py, the assets).
"""

import hashlib
from datetime import datetime
from pathlib import Path

from infraaudit.gate import judge_commit
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.judging.live import LiveJudgement, is_due
from infraaudit_domain.judging.verdicts import Verdict, all_of
from infraaudit_domain.projects import Environment, Project
from infraaudit_domain.reporting.live_notices import passes_no_longer
from resources.configuration.gate import read_gate
from resources.configuration.suppressions import read_accepted
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.decisions.judgements import last_judged, record_judgement
from resources.history.decisions.rejections import rejected
from resources.history.decisions.triage import newest_about_counting
from resources.history.outbox import write_notices
from resources.history.scan_results import stored_ratings


def judge_live_where_due(
    history: History, mirror: Mirror, project: Project, environment: Environment, gate_file: Path, now: datetime
) -> LiveJudgement | None:
    """None where nothing is live, or the last judgement still counts. Raises RepositoryError, HistoryError."""
    live = history.live(project.name, environment.name)
    if live is None:
        return None
    rules = rules_digest(history, project, gate_file, live.sha)
    before = last_judged(history, project.name, environment.name)
    if not is_due(before, live.sha, rules, now):
        return None
    return _judged(history, mirror, project, environment, gate_file, live.sha, rules, now)


def judge_live(
    history: History, mirror: Mirror, project: Project, environment: Environment, gate_file: Path, now: datetime
) -> LiveJudgement | None:
    """What the gate says of what is live now; None where nothing is. Raises RepositoryError, HistoryError."""
    live = history.live(project.name, environment.name)
    if live is None:
        return None
    rules = rules_digest(history, project, gate_file, live.sha)
    return _judged(history, mirror, project, environment, gate_file, live.sha, rules, now)


def _judged(
    history: History,
    mirror: Mirror,
    project: Project,
    environment: Environment,
    gate_file: Path,
    sha: str,
    rules: str,
    now: datetime,
) -> LiveJudgement:
    try:
        scan = judge_commit(history, mirror, project, environment.name, sha, gate_file, now)
    except ConfigurationError as error:  # What cannot be judged does not pass.
        scan = Verdict((str(error),))
    rejection = rejected(history, project.name).get(sha)
    verdict = all_of((scan, Verdict((str(rejection),) if rejection else ())))
    judgement = LiveJudgement(project.name, environment.name, sha, verdict, rules, now)
    record_judgement(history, judgement)
    if not judgement.passes:
        write_notices(history, [passes_no_longer(judgement)])
    return judgement


def rules_digest(history: History, project: Project, gate_file: Path, sha: str) -> str:
    """A digest of what a judgement depends on besides the commit's content: gate, acceptances, severities, rejection."""
    rules: list[object] = [rejected(history, project.name).get(sha), sorted(stored_ratings(history).items())]
    rules.append(newest_about_counting(history, project.name))
    try:
        rules += [read_gate(gate_file), read_accepted(gate_file.parent, project.name)]
    except ConfigurationError as error:
        rules.append(str(error))
    return hashlib.sha256(repr(rules).encode()).hexdigest()
