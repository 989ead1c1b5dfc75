"""Time the audit's queries over a generated history: by default 10,000 commits and 1,000,000 stored finding rows.

    python benchmarks/history_queries.py [--commits 10000] [--rows 1000000] [--url postgresql+psycopg2://…]

The history is that of generated_history.py; every tenth commit is deployed, and every hundredth of those rolls back.
Prints the time of following the whole line, then of each query (median of 5, pandas included; beside it the CPU time of this
process, which is all of it with SQLite and the part without the server's with PostgreSQL) and, with --plans, the plans.
"""

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sized
from datetime import UTC, datetime, timedelta
from functools import partial

import sqlalchemy as sa
from generated_history import START, Generated, arguments_with_size, generate, history_at

from infraaudit.questions.findings import compare, findings_at
from infraaudit.scans.lifecycles import Line
from infraaudit_domain.delivery.deployments import Outcome
from infraaudit_domain.judging.suppressions import Suppression
from infraaudit_domain.scans.findings import Severity
from resources.history import History, schema
from resources.history.queries.exposure import exposure
from resources.history.queries.live_commits import live_commits
from resources.history.queries.lives import blame
from resources.history.queries.sla import sla
from resources.history.queries.suppressions import suppressions_of
from resources.history.queries.trends import trends


def deploy(history: History, mirror: Generated) -> None:
    rows = []
    for turn, position in enumerate(range(0, len(mirror.line), 10)):
        at = START + timedelta(hours=position, minutes=30)
        sha = mirror.line[position - 200 if turn % 100 == 99 else position]
        rows.append(
            {"project": "p", "environment": "production", "sha": sha, "started_at": at, "finished_at": at}
            | {"target": "container", "outcome": Outcome.DEPLOYED.value, "image": "i", "manifests": "", "reason": ""}
        )
    with history.writing() as connection:
        connection.execute(schema.deployments.insert(), rows)


def timed(name: str, query: Callable[[], Sized]) -> None:
    rows = len(query())
    wall, cpu = [], []
    for _ in range(5):
        clock, burnt = time.perf_counter(), time.process_time()
        query()
        wall.append(time.perf_counter() - clock)
        cpu.append(time.process_time() - burnt)
    print(f"| {name} | {rows:,} | {statistics.median(wall) * 1000:.0f} ms | {statistics.median(cpu) * 1000:.0f} ms |")


def show_plans(history: History, queries: Mapping[str, Callable[[], object]]) -> None:
    explain = "EXPLAIN QUERY PLAN" if history.dialect == "sqlite" else "EXPLAIN"
    statements: dict[str, tuple] = {}

    @sa.event.listens_for(history._engine, "before_cursor_execute")
    def _keep(_c: object, _k: object, statement: str, values: object, _x: object, _m: object) -> None:
        statements[statement] = values  # type: ignore[assignment]

    for name, query in queries.items():
        statements.clear()
        query()
        asked = [(text, values) for text, values in statements.items() if text.lstrip().startswith("SELECT")]
        print(f"\n{name}")
        with history.reading() as connection:
            for statement, values in asked:
                plan = connection.exec_driver_sql(f"{explain} {statement}", values).fetchall()
                print("  …", " ".join(statement.split())[-120:], *(f"\n    {row[-1]}" for row in plan))


if __name__ == "__main__":
    parser = arguments_with_size(__doc__)
    parser.add_argument("--plans", action="store_true")
    given = parser.parse_args()
    with history_at(given.url) as HISTORY:
        MIRROR = Generated(given.commits)
        clock = time.perf_counter()
        if HISTORY.scan("p", MIRROR.line[-1]) is None:
            generate(HISTORY, MIRROR, given.rows // given.commits)
            deploy(HISTORY, MIRROR)
            print(f"generated {given.commits} commits, {given.rows} rows: {time.perf_counter() - clock:.1f} s")
        clock = time.perf_counter()
        LINE = Line(HISTORY, MIRROR, "p", "main").follow()  # type: ignore[arg-type]
        print(f"followed the whole line: {time.perf_counter() - clock:.1f} s")
        now, head, middle = datetime.now(UTC), LINE.shas[-1], LINE.shas[len(LINE.shas) // 2]
        rule = [Suppression("r", "o", now.date(), check="CKV_1*")]
        groups = (None, "severity", "check", "file", "directory", "author")
        queries: dict[str, Callable[[], Sized]] = {
            "follow, nothing new": lambda: LINE.follow().shas,
            "findings at head": lambda: findings_at(LINE, head, now),
            "findings in the middle": lambda: findings_at(LINE, middle, now),
            "findings new since the middle": lambda: findings_at(LINE, head, now, since=middle),
            "compare middle with head": lambda: compare(LINE, middle, head),
            **{
                f"trends{f' by {by}' if by else ''}, every {every}": partial(trends, LINE, by, every)
                for every in ("week", "commit")
                for by in groups
            },
            "blame a check in a file": lambda: blame(LINE, "production", check="CKV_7", path="infra/7/main.tf"),
            "exposure of findings": lambda: exposure(LINE, "production", now),
            "exposure of commits": lambda: live_commits(LINE, "production", now),
            "sla": lambda: sla(LINE, {Severity.HIGH: 30}, now, rule),
            "suppressions": lambda: suppressions_of(LINE, rule, head, now.date()),
        }
        print(f"load {os.getloadavg()[0]:.1f}\n| query | rows | wall | CPU |\n|---|---|---|---|")
        for name, query in queries.items():
            timed(name, query)
        if given.plans:
            show_plans(HISTORY, queries)
