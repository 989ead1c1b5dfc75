"""Time the audit page and the trend API over a generated history, as a client has them: over HTTP from a real server.

    python benchmarks/page_and_api.py [--commits 10000] [--rows 1000000] [--url postgresql+psycopg2://…] [--chromium]

The history is that of generated_history.py, with a pipeline's records. Prints the first answer, the median of 7 more
and the server's CPU time for one (a database server's own is not in it); with --chromium also when the overview is
loaded there (navigation start to load event). A database that holds the history already is used as it is.
"""

import statistics
import time

import httpx
import sqlalchemy as sa
from generated_history import PORT, Generated, arguments_with_size, cpu_seconds, fill, history_at, served

from resources.history import History, schema


def paths(history: History, mirror: Generated) -> list[str]:
    middle = mirror.line[len(mirror.line) // 2]
    table = schema.spans
    with history.reading() as connection:
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


def measure_in_chromium(path: str) -> None:
    from tests.e2e.browser import browser

    with browser() as page:
        for _ in range(4):
            page.open(f"http://127.0.0.1:{PORT}{path}")
            loaded = page.ask("performance.timing.loadEventEnd - performance.timing.navigationStart")
            print(f"{path} in Chromium: {loaded} ms until loaded", flush=True)


def main() -> None:
    parser = arguments_with_size(__doc__)
    parser.add_argument("--chromium", action="store_true")
    given = parser.parse_args()
    with history_at(given.url) as history:
        mirror = Generated(given.commits)
        fill(history, mirror, given.rows)
        addresses = paths(history, mirror)
        with served(history) as (client, server):
            for path in addresses:
                measure(client, path, server)
            if given.chromium:
                measure_in_chromium("/projects/p")


if __name__ == "__main__":
    main()
