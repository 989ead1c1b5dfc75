"""Every command: where its function is, its line in the help (the first one of its docstring), and its panel there."""

from collections.abc import Mapping

from infraaudit.questions.table import EXPORT, QUESTIONS
from infraaudit_assets.commands.lazy import Entry


def _asking(panel: str) -> dict[str, Entry]:
    """The commands that ask the questions of a panel; where several share one, the first has the line."""
    commands: dict[str, Entry] = {}
    for question in (*QUESTIONS, EXPORT):
        if question.panel == panel and " " not in question.command:
            commands.setdefault(question.command, Entry("ask:command_of", question.help, panel, is_question=True))
    return commands


COMMANDS: Mapping[str, Entry] = {
    "demo": Entry(
        "demo:demo",
        "Take a repository with a history through the pipeline: each commit is built, tested, scanned and deployed.",
        "Start here",
    ),
    "doctor": Entry(
        "doctor:doctor",
        "Show every outside part: found or not, which version, and what is lost without it.",
        "Start here",
    ),
    "up": Entry(
        "up:up", "Start the Dagster UI, the daemon with its sensors, and the service, until Ctrl-C.", "Start here"
    ),
    "run": Entry(
        "run:run", "Build, test, scan and deploy one commit. Exits with 1 where the pipeline stopped.", "Start here"
    ),
    "check": Entry(
        "check:check",
        "Show what the commit of a working tree would get: scan, gate, manifests. Exits with 1 where it would be stopped.",
        "Start here",
    ),
    "projects": Entry("projects:app", "List, check and add the repositories in the projects file.", "Start here"),
    "status": Entry(
        "status:status",
        "Show what is live in every environment, since when, whether it is healthy, and what has drifted.",
        "Deliver",
    ),
    "deploy": Entry(
        "deploying:deploy",
        "Deploy a commit that was built and tested, now and by hand. Exits with 1 where it does not become healthy.",
        "Deliver",
    ),
    "promote": Entry(
        "deploying:promote",
        "Bring what is healthy in one environment to the next. Exits with 1 where it does not become healthy there.",
        "Deliver",
    ),
    "rollback": Entry(
        "delivery:rollback",
        "Put back what ran before, as it was deployed then. Exits with 1 where it does not become healthy.",
        "Deliver",
    ),
    "reject": Entry(
        "rejection:reject",
        "Reject a commit for good: nobody deploys it, promotes it or goes back to it, and it is never advised.",
        "Deliver",
    ),
    "approve": Entry(
        "approving:approve",
        "Let a commit into an environment; once it has all its approvals, one that waits is deployed by itself.",
        "Deliver",
    ),
    "logs": Entry("logs:logs", "Show the kept lines, newest last.", "Deliver"),
    **_asking("Deliver"),
    "scan": Entry(
        "scan:scan",
        "Scan commits into the history: nothing is built or deployed, and latest_scan.json shows the newest.",
        "Ask the history",
    ),
    **_asking("Ask the history"),
    "gate": Entry("gate:app", "Try the gate's policy on what was deployed before.", "Ask the history"),
    "triage": Entry(
        "triage:app",
        "Decide on findings: accept them for a time, call them false positives, assign them, or take that back.",
        "Ask the history",
    ),
    "severities": Entry(
        "severities:severities",
        "Show how each check is rated and by whom; with --try, what another rating would do to the gate of what is live.",
        "Ask the history",
    ),
    "page": Entry(
        "service:page",
        "Write the audit page as one file that needs nothing beside it: to send, or to keep as evidence.",
        "Ask the history",
    ),
    "serve": Entry(
        "service:serve",
        "Start the service: webhooks, /metrics, the trend API and the audit page; Ctrl-C stops it.",
        "Operate",
    ),
    "watch": Entry(
        "watch:watch",
        "Look after what is live: health, drift and new log lines of every environment; Ctrl-C stops it.",
        "Operate",
    ),
    "dashboard": Entry(
        "dashboard:dashboard", "Print the Grafana dashboard of the pipeline, for import, or write it.", "Operate"
    ),
    "prune": Entry(
        "prune:prune",
        "Delete the details of old commits: listed findings, test cases, kept reports, and Dagster's finished runs.",
        "Operate",
    ),
    "backup": Entry(
        "history:backup",
        "Write history, reports, logs and Dagster's SQLite files into one archive; the installation may keep running.",
        "Operate",
    ),
    "restore": Entry(
        "history:restore",
        "Fill an empty installation from a backup. Stop the roles first: Dagster's files are replaced.",
        "Operate",
    ),
    "history": Entry("history:app", "Move the history between databases.", "Operate"),
    "webhook": Entry("webhook:app", "Try the webhook, and see what came.", "Operate"),
    "forge": Entry(
        "forge:app",
        "Try the forge of a project, see what it was shown, and let a fork's request be scanned.",
        "Operate",
    ),
}
