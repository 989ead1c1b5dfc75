"""Time the audit page and the trend API over a generated history, as a client has them: over HTTP from a real server.

    python benchmarks/page_and_api.py [--commits 10000] [--rows 1000000] [--url postgresql+psycopg2://…] [--chromium]

The history is that of history_queries.py, with what a pipeline records beside findings: an image, tests and three
stages of every commit, a deployment of every second one (each tenth of them rolled back). Prints the first answer,
the median of 7 more and the server's CPU time for one (a database server's own is not in it); with --chromium also
when the overview is loaded there (navigation start to load event). A database that holds the history already is used
as it is.
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import httpx
import sqlalchemy as sa
import uvicorn
from history_queries import START, Generated, generate

from infraaudit_assets.domain.projects import Project
from resources.history import History, schema
from resources.history.lifecycles import Line
from resources.history.queries.places import recorded_projects
from service.app import ServiceOptions, build_app

PORT = 3991


def record_pipeline(history: History, mirror: Generated) -> None:
    """What the pipeline records of every commit, beside its scan."""
    history.record_project(Project("p", "https://example.org/p.git"))
    c = schema.commits
    with history.engine.begin() as connection:
        for start in range(0, len(mirror.line), 500):
            some = list(enumerate(mirror.line[start : start + 500], start))
            parents = [{"child": sha, "parent": mirror.line[place - 1]} for place, sha in some if place]
            changed = c.update().where(c.c.project == "p", c.c.sha == sa.bindparam("child"))
            connection.execute(changed.values(first_parent=sa.bindparam("parent")), parents)
            for table, row in ((schema.images, _image), (schema.test_runs, _tests)):
                connection.execute(table.insert(), [{"project": "p", "sha": sha} | row(sha) for _, sha in some])
            connection.execute(schema.stages.insert(), [s for place, sha in some for s in _stages(place, sha)])
            connection.execute(schema.deployments.insert(), [_deployment(p, sha) for p, sha in some if p % 2 == 0])


def _image(sha: str) -> dict[str, object]:
    return {"reference": f"p:{sha[:12]}", "image_id": f"sha256:{sha}", "size_bytes": 10**8, "build_seconds": 9.0,
            "inputs_digest": sha, "digest": None, "reused_from": None}  # fmt: skip


def _tests(sha: str) -> dict[str, object]:
    return {"passed": 40, "failed": 0, "errors": 0, "skipped": 1, "seconds": 3.0, "reason": "", "output_tail": ""}


def _stages(place: int, sha: str) -> list[dict[str, object]]:
    at = START + timedelta(hours=place)
    return [
        {"project": "p", "sha": sha, "stage": stage, "run_id": f"run-{place}", "outcome": "succeeded"}
        | {"started_at": at, "finished_at": at + timedelta(seconds=20), "reason": ""}
        for stage in ("docker_image", "scan_report", "deployment")
    ]


def _deployment(place: int, sha: str) -> dict[str, object]:
    at = START + timedelta(hours=place, minutes=10)
    return {
        "project": "p", "environment": "production", "sha": sha, "started_at": at, "target": "kubernetes:c/n",
        "finished_at": at + timedelta(seconds=30), "outcome": "rolled_back" if place % 20 == 0 else "deployed",
        "image": f"p:{sha[:12]}", "manifests": "kind: Deployment\n" * 100, "replaced_sha": None, "reason": "", "url": None,
    }  # fmt: skip


def serve(url: str) -> None:
    uvicorn.run(build_app(History(url), ServiceOptions(["p"])), port=PORT, log_level="error")


def paths(history: History, mirror: Generated) -> list[str]:
    middle = mirror.line[len(mirror.line) // 2]
    table = schema.spans
    with history.engine.connect().execution_options(read_only=True) as connection:
        finding = connection.execute(sa.select(table.c.fingerprint).where(table.c.end_position.is_(None))).scalar()
    page, api = "/projects/p", "/api/v1/projects/p"
    return [
        page, f"{page}?window=250", f"{page}?window=all", f"{page}?offset=5000", f"{page}?q=author+7&outcome=deployed",
        f"{page}/findings", f"{page}/findings?commit={middle}&q=main&order=age", f"{page}/findings/{finding}",
        f"{page}/findings/{'0' * 32}", f"{page}/commits/{middle}", f"{page}/deployments",
        f"{api}/commits", f"{api}/commits?limit=10000&format=csv", f"{api}/findings", f"{api}/live",
        f"{api}/trends", f"{api}/trends?by=severity&every=week&limit=10000", f"{api}/changes?commit={middle}",
        f"{api}/deployments?offset=4000", f"{api}/dora?days=3650",
    ]  # fmt: skip


def measure(client: httpx.Client, path: str, server: int) -> None:
    seconds, spent = [], cpu_seconds(server)
    for _ in range(8):
        clock = time.perf_counter()
        answer = client.get(path)
        seconds.append(time.perf_counter() - clock)
        assert answer.status_code in (200, 404), (path, answer.text[:300])
    spent = (cpu_seconds(server) - spent) / len(seconds)
    shown = path if len(path) < 74 else f"{path[:71]}…"
    print(
        f"{shown:75} first {seconds[0] * 1000:6.0f} ms, then {statistics.median(seconds[1:]) * 1000:6.0f} ms, "
        f"cpu {spent * 1000:5.0f} ms, {len(answer.content) / 1000:5.0f} kB",
        flush=True,
    )


def cpu_seconds(process: int) -> float:
    """What a process used so far, user and system; the figure that a busy machine distorts least."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_in_chromium(path: str) -> None:
    from tests.e2e.browser import browser

    with browser() as page:
        for _ in range(4):
            page.open(f"http://127.0.0.1:{PORT}{path}")
            loaded = page.ask("performance.timing.loadEventEnd - performance.timing.navigationStart")
            print(f"{path} in Chromium: {loaded} ms until loaded", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commits", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--url")
    parser.add_argument("--chromium", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = given.url or f"sqlite:///{folder}/history.db"
        history, mirror = History(url), Generated(given.commits)
        history.migrate()
        if not recorded_projects(history):
            generate(history, mirror, given.rows // given.commits)
            record_pipeline(history, mirror)
        Line(history, mirror, "p", "main").follow()  # type: ignore[arg-type]
        if history.engine.dialect.name == "postgresql":
            with history.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("ANALYZE")
        addresses = paths(history, mirror)
        history.engine.dispose()
        server = multiprocessing.get_context("spawn").Process(target=serve, args=(url,), daemon=True)
        server.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{PORT}", timeout=120) as client:
                _wait(client)
                for path in addresses:
                    measure(client, path, server.pid or 0)
            if given.chromium:
                measure_in_chromium("/projects/p")
        finally:
            server.terminate()


def _wait(client: httpx.Client) -> None:
    for _ in range(200):
        try:
            client.get("/healthz")
            return
        except httpx.ConnectError:
            time.sleep(0.2)
    raise SystemExit("the service did not start")


if __name__ == "__main__":
    main()
