"""Every command: where its function is, its line in the help (the first one of its docstring), and its panel there."""

from collections.abc import Mapping

from infraaudit_assets.commands.lazy import Entry

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
    "projects": Entry("projects:app", "List, check and add the repositories in the projects file.", "Start here"),
    "status": Entry(
        "status:status",
        "Show what is live in every environment, since when, whether it is healthy, and what has drifted.",
        "Deliver",
    ),
    "promote": Entry(
        "delivery:promote",
        "Bring what is healthy in one environment to the next. Exits with 1 where it does not become healthy there.",
        "Deliver",
    ),
    "rollback": Entry(
        "delivery:rollback",
        "Put back what ran before, as it was deployed then. Exits with 1 where it does not become healthy.",
        "Deliver",
    ),
    "logs": Entry("logs:logs", "Show the kept lines, newest last.", "Deliver"),
    "dora": Entry(
        "dora:dora",
        "Deployment frequency, lead time, change failure rate and time to restore, for each environment.",
        "Deliver",
    ),
    "scan": Entry(
        "scan:scan",
        "Scan commits into the history: nothing is built or deployed, and latest_scan.json shows the newest.",
        "Ask the history",
    ),
    "trends": Entry(
        "audit:trends", "Findings over time: open, introduced, fixed, reopened, suppressed.", "Ask the history"
    ),
    "findings": Entry(
        "audit:findings", "The findings of a commit: since which commit, whose, and for how long.", "Ask the history"
    ),
    "blame": Entry(
        "audit:blame",
        "Lifecycles of findings: introduced, moved, suppressed, fixed and reopened by whom, and live from when to when.",
        "Ask the history",
    ),
    "compare": Entry(
        "audit:compare",
        "What two commits' findings differ in, and whether code, config or scanner may be why.",
        "Ask the history",
    ),
    "exposure": Entry(
        "exposure:exposure",
        "How long findings were in production: introduced, live, fixed, fix live; and what a rollback brought back.",
        "Ask the history",
    ),
    "sla": Entry(
        "exposure:sla",
        "How fast findings are fixed, how old the open ones are, and which break the SLA (max_age_days of gate.yaml).",
        "Ask the history",
    ),
    "suppressions": Entry(
        "exposure:suppressions",
        "Who hid which finding, when, why, until when, and whether it is live: comments in the code, and the project's file.",
        "Ask the history",
    ),
    "export": Entry("export:export", "Write a commit's findings as SARIF, JSON, CSV or CycloneDX.", "Ask the history"),
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
}
