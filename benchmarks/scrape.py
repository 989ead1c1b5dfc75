"""Time /metrics over a generated history: until the service is ready after its start, then a scrape, over HTTP.

    PYTHONPATH=. python benchmarks/scrape.py [--commits 10000] [--rows 1000000] [--runs 50000] [--url …]

The history is that of page_and_api.py, with further runs of three stages each up to --runs. Prints when /metrics first
answered with samples, the median and longest of 15 scrapes, the server's CPU time for one, and the size.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from datetime import timedelta

import httpx
from history_queries import START, Generated, generate
from page_and_api import PORT, _wait, cpu_seconds, record_pipeline, serve

from resources.history import History, schema
from resources.history.lifecycles import Line
from resources.history.queries.places import recorded_projects

_SCRAPES = 15


def record_runs(history: History, mirror: Generated, runs: int) -> None:
    """Runs again of commits that have one already."""
    for start in range(len(mirror.line), runs, 1000):
        rows = []
        for number in range(start, min(start + 1000, runs)):
            at = START + timedelta(hours=number)
            end = at + timedelta(seconds=number % 400)
            told = {"project": "p", "sha": mirror.line[number % len(mirror.line)], "run_id": f"again-{number}"}
            told |= {"outcome": "failed" if number % 9 == 0 else "succeeded", "reason": ""}
            for stage in ("docker_image", "scan_report", "deployment"):
                rows.append(told | {"stage": stage, "started_at": at, "finished_at": end})
        with history.engine.begin() as connection:
            connection.execute(schema.stages.insert(), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commits", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=50_000)
    parser.add_argument("--url")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = given.url or f"sqlite:///{folder}/history.db"
        history, mirror = History(url), Generated(given.commits)
        history.migrate()
        if not recorded_projects(history):
            generate(history, mirror, given.rows // given.commits)
            record_pipeline(history, mirror)
            record_runs(history, mirror, given.runs)
            Line(history, mirror, "p", "main").follow()  # type: ignore[arg-type]
        history.engine.dispose()
        server = multiprocessing.get_context("spawn").Process(target=serve, args=(url,), daemon=True)
        server.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{PORT}", timeout=120) as client:
                _wait(client)
                measure(client, server.pid or 0)
        finally:
            server.terminate()


def measure(client: httpx.Client, server: int) -> None:
    began = time.perf_counter()
    while client.get("/metrics").status_code == 503:
        time.sleep(0.05)
    print(f"ready {time.perf_counter() - began:.2f} s after the service began to listen", flush=True)
    seconds, spent = [], cpu_seconds(server)
    for _ in range(_SCRAPES):
        clock = time.perf_counter()
        answer = client.get("/metrics").raise_for_status()
        seconds.append(time.perf_counter() - clock)
    spent = (cpu_seconds(server) - spent) / _SCRAPES
    print(
        f"a scrape: median {statistics.median(seconds) * 1000:.0f} ms, longest {max(seconds) * 1000:.0f} ms, "
        f"cpu {spent * 1000:.0f} ms, {len(answer.content) / 1000:.0f} kB"
    )


if __name__ == "__main__":
    main()
