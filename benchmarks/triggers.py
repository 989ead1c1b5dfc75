"""How fast pushes become runs: `python benchmarks/triggers.py {starts,receiver,ticks} --help`.

starts: a real code server, webserver, daemon and service; from `git push` until Dagster says that the run started.
receiver: the service alone, with signed deliveries at a fixed rate over loopback.
ticks: one tick of the Git sensor without and with a new commit, in histories of growing length.
"""

import argparse
import asyncio
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    starts = commands.add_parser("starts")
    starts.add_argument("--pushes", type=int, default=20)
    starts.add_argument("--poll-seconds", type=int, default=5, help="shortest time between two ticks of the sensor")
    starts.set_defaults(measure=lambda given: measure_starts(given.pushes, given.poll_seconds))
    receiver = commands.add_parser("receiver")
    receiver.add_argument("--rate", type=int, default=200, help="deliveries a second")
    receiver.add_argument("--seconds", type=int, default=20)
    receiver.add_argument("--scrape", action="store_true", help="scrape /metrics every second meanwhile")
    receiver.set_defaults(measure=lambda given: measure_receiver(given.rate, given.seconds, given.scrape))
    ticks = commands.add_parser("ticks")
    ticks.add_argument("commits", type=int, nargs="*", default=[1_000, 10_000, 50_000])
    ticks.set_defaults(measure=lambda given: list(map(measure_ticks, given.commits)))
    given = parser.parse_args()
    given.measure(given)


def measure_starts(pushes: int, poll_seconds: int) -> None:
    """From a push until its run started: by the webhook with the sensor running, then by the sensor alone."""
    from tests.e2e.installation import Installation, bare_repository

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        work, bare = bare_repository(Path(folder), "shop")
        work.write({"file": "first"}, "first")
        work.git("push", "--quiet", "-u", "origin", "main")
        with Installation(Path(folder) / "home", [{"name": "shop", "url": str(bare)}], poll_seconds) as installation:
            installation.wait_until_up()
            for way in ("webhook", "sensor"):
                taken = []
                for number in range(pushes):
                    # Not in step with the daemon, whose loop takes 5 s.
                    time.sleep(2 + number * 0.37 % 5)
                    before = work.git("rev-parse", "HEAD")
                    sha = work.write({"file": f"{way} {number}"}, f"{way} {number}")
                    work.git("push", "--quiet", "origin", "main")
                    began = time.time()
                    if way == "webhook":
                        installation.post("shop", "main", before, sha)
                    taken.append(installation.started_at(f"shop:{sha}") - began)
                show(f"push to run started by {way}, sensor every {poll_seconds} s or more", taken, "s")


def measure_receiver(rate: int, seconds: int, scrape: bool) -> None:
    """Deliveries at a fixed rate; each is sent on time, however late the answers are."""
    from tests.e2e.installation import SECRET, Installation, bare_repository

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        work, bare = bare_repository(Path(folder), "shop")
        work.write({"file": "first"}, "first")
        work.git("push", "--quiet", "-u", "origin", "main")
        installation = Installation(Path(folder) / "home", [{"name": "shop", "url": str(bare)}])
        installation.start("service")
        try:
            installation.wait_until(lambda: installation.answers("service", "/healthz"), 60, "the service answers")
            taken, failed = asyncio.run(_send(installation.ports["service"], SECRET, rate, seconds, scrape))
            show(f"answer to a delivery at {rate}/s for {seconds} s{', scraped' if scrape else ''}", taken, "ms")
            print(f"  not 202: {failed}; over 50 ms: {sum(each > 50 for each in taken)} of {len(taken)}")
        finally:
            installation.kill("service")


async def _send(port: int, secret: str, rate: int, seconds: int, scrape: bool) -> tuple[list[float], int]:
    """Over 20 connections that stay open, as a reverse proxy does; plain sockets, so that the client costs next to
    nothing."""
    from infraaudit_domain.pushes import sign

    taken: list[float] = []
    failed = 0
    total = rate * seconds
    numbers = iter(range(total))
    requests = [_request(number, secret, sign) for number in range(total)]
    began = time.perf_counter() + 0.5

    async def connection() -> None:
        nonlocal failed
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            writer.write(requests[number])
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            # Counted from when it was due, so that waiting for a free connection is included.
            taken.append((time.perf_counter() - due) * 1000)
            failed += b" 202 " not in head.split(b"\r\n")[0]
        writer.close()

    async def read_metrics() -> None:
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            await reader.read()
            await asyncio.sleep(1)

    scraping = asyncio.create_task(read_metrics()) if scrape else None
    await asyncio.gather(*(connection() for _ in range(20)))
    if scraping:
        scraping.cancel()
    print(f"  sent and answered {total / (time.perf_counter() - began):.0f} a second")
    return taken, failed


def _request(number: int, secret: str, sign: Callable[[bytes, str], str]) -> bytes:
    after = hashlib.sha1(str(number).encode()).hexdigest()
    body = json.dumps({"ref": "refs/heads/main", "before": "", "after": after, "padding": "x" * 7000}).encode()
    head = f"POST /webhooks/shop HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    return f"{head}X-InfraAudit-Signature: {sign(body, secret)}\r\n\r\n".encode() + body


def measure_ticks(commits: int) -> None:
    """A sensor tick as the code server runs it, over a repository and a Dagster with so many known commits."""
    import dagster as dg

    from infraaudit_assets.assets import build_project_assets
    from infraaudit_assets.connections import build_resources
    from infraaudit_assets.jobs import build_jobs
    from infraaudit_assets.settings import Settings
    from infraaudit_domain.projects import Project
    from resources.dagster.partitions import commits_of
    from sensors.commits import build_commit_sensor

    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        tip = write_history(folder / "shop", commits)
        project = Project("shop", str(folder / "shop"))
        (folder / "dagster").mkdir()
        shipped = Path(__file__).parents[1] / "configs/dagster/dagster.yaml"
        (folder / "dagster/dagster.yaml").write_text(shipped.read_text())
        jobs, resources = build_jobs(project), build_resources(Settings(home=folder))
        sensor = build_commit_sensor(project, jobs, 30)
        definitions = dg.Definitions(
            assets=build_project_assets(project), jobs=jobs, sensors=[sensor], resources=resources
        )
        with dg.DagsterInstance.from_config(str(folder / "dagster")) as instance:
            listed = subprocess.check_output(
                ["git", "-C", str(folder / "shop"), "rev-list", "--reverse", "HEAD"], text=True
            ).split()
            instance.add_dynamic_partitions(commits_of(project).name or "", listed)

            def tick(cursor: str | None) -> str:
                context = dg.build_sensor_context(
                    instance=instance, cursor=cursor, definitions=definitions, sensor_name=sensor.name
                )
                result = sensor(context, git=resources["git"], history=resources["history"])
                assert isinstance(result, dg.SensorResult)
                return str(result.cursor)

            cursor = tick(None)
            show(f"tick, nothing new, {commits} known commits", repeat(lambda: tick(cursor), 10), "ms")
            subprocess.run(
                ["git", "-C", str(folder / "shop"), "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet",
                 "--allow-empty", "-m", "new"], check=True,
            )  # fmt: skip
            show(f"tick, one new commit, {commits} known commits", repeat(lambda: tick(cursor), 10), "ms")
            assert tip in cursor


def write_history(folder: Path, commits: int) -> str:
    """A linear history, written by `git fast-import`; returns its tip."""
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(folder)], check=True)
    stream = "".join(
        f"commit refs/heads/main\ncommitter a <a@b> {1_600_000_000 + number} +0000\ndata 1\n{number % 10}\n"
        f"M 644 inline f{number % 50}\ndata {len(str(number))}\n{number}\n"
        for number in range(commits)
    )
    subprocess.run(["git", "-C", str(folder), "fast-import", "--quiet"], input=stream.encode(), check=True)
    subprocess.run(["git", "-C", str(folder), "reset", "--quiet", "--hard"], check=True)
    return subprocess.check_output(["git", "-C", str(folder), "rev-parse", "HEAD"], text=True).strip()


def repeat(work: Callable[[], object], times: int) -> list[float]:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def show(what: str, taken: list[float], unit: str) -> None:
    ordered = sorted(taken)
    share = ordered[int(len(ordered) * 0.99)]
    print(
        f"{what}: median {statistics.median(ordered):.1f} {unit}, 99 % {share:.1f} {unit}, worst {ordered[-1]:.1f} {unit} of {len(ordered)}",
        flush=True,
    )


if __name__ == "__main__":
    main()
