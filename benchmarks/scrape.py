"""Time /metrics over a generated history: until the service is ready after its start, then a scrape, over HTTP.

    PYTHONPATH=. python benchmarks/scrape.py [--commits 10000] [--rows 1000000] [--runs 50000] [--url …]

The history is that of generated_history.py, with a pipeline's records and further runs of three stages each up to
--runs. Prints when /metrics first answered with samples, the median and longest of 15 scrapes, the server's CPU time
for one, and the size.
"""

import statistics
import time
from datetime import timedelta
from typing import Any

import httpx
from generated_history import START, Generated, arguments_with_size, cpu_seconds, fill, history_at, served

from resources.history import History, schema

_SCRAPES = 15


def record_runs(history: History, mirror: Generated, runs: int) -> None:
    """Further runs of commits that have one already."""
    for start in range(len(mirror.line), runs, 1000):
        rows = []
        for number in range(start, min(start + 1000, runs)):
            at = START + timedelta(hours=number)
            end = at + timedelta(seconds=number % 400)
            stage_row: dict[str, Any] = {
                "project": "p",
                "sha": mirror.line[number % len(mirror.line)],
                "run_id": f"again-{number}",
            }
            stage_row |= {"outcome": "failed" if number % 9 == 0 else "succeeded", "reason": ""}
            for stage in ("docker_image", "scan_report", "deployment"):
                rows.append(stage_row | {"stage": stage, "started_at": at, "finished_at": end})
        with history.writing() as connection:
            connection.execute(schema.stages.insert(), rows)


def main() -> None:
    parser = arguments_with_size(__doc__)
    parser.add_argument("--runs", type=int, default=50_000)
    given = parser.parse_args()
    with history_at(given.url) as history:
        mirror = Generated(given.commits)
        if fill(history, mirror, given.rows):
            record_runs(history, mirror, given.runs)
        with served(history) as (client, server):
            measure(client, server)


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
