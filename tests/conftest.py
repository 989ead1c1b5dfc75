"""Shared by all tests: real repositories, and real external parts where they are available.

Tests that drive a container engine, a cluster, a browser, a Prometheus or the pipeline itself are marked e2e: they take
seconds each, mostly waiting. Run the rest, `pytest -m "not e2e"`, while working; databases, Checkov and small commands
are real there too.
"""

import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

import pytest

from resources.git.mirror import Mirror
from tests import distribution

# A shell's `&` starts us with interrupts ignored. After a run in this process, Dagster installs the same handler for
# SIGTERM, and processes that tests start later would survive terminate().
signal.signal(signal.SIGINT, signal.default_int_handler)

# As an installation without a box (by Compose, say) has it: the tests in tests/hostile make boxes of their own.
os.environ.setdefault("INFRAAUDIT_BUILD_ISOLATION", "none")

# The many installations of tests leave their warm processes to nobody.
os.environ.setdefault("INFRAAUDIT_WARM_MINUTES", "0.25")

# pytest-xdist gives its workers a width of 80, in which tables are broken; whoever tests a width sets it.
os.environ.pop("COLUMNS", None)

_PORTS = Path(tempfile.gettempdir()) / f"infraaudit-test-ports-{os.getuid()}"
_reserved: list[IO[str]] = []
_chance = random.SystemRandom()


def free_port(host: str = "127.0.0.1") -> int:
    """A free port of an address of this machine, reserved until this process ends.

    Below the range that the kernel hands out for connections. The lock on the port's file keeps it from every other
    test process of this machine, also while the program that will listen on it starts or restarts.
    """
    _PORTS.mkdir(exist_ok=True)
    while True:
        port = _chance.randrange(20_000, 30_000)
        lock = (_PORTS / str(port)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            socket.create_server((host, port)).close()
        except OSError:
            lock.close()
            continue
        _reserved.append(lock)
        return port


def _engine_answers() -> bool:
    return any(
        shutil.which(name) and subprocess.run([name, "info"], capture_output=True, timeout=20).returncode == 0
        for name in ("docker", "podman")
    )


def _cluster_answers() -> bool:
    command = ["kubectl", "get", "--raw", "/readyz", "--request-timeout=5s"]
    return shutil.which("kubectl") is not None and subprocess.run(command, capture_output=True).returncode == 0


def _registry_answers() -> bool:
    return (
        subprocess.run(["curl", "-fs", "--max-time", "2", "http://127.0.0.1:5000/v2/"], capture_output=True).returncode
        == 0
    )


def _compose_answers() -> bool:
    return shutil.which("docker") is not None and not subprocess.call(
        ["docker", "compose", "version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


PARTS: dict[str, Callable[[], bool]] = {
    "engine": _engine_answers,
    "kubernetes": _cluster_answers,
    "registry": _registry_answers,
    "kustomize": lambda: bool(shutil.which("kustomize") or shutil.which("kubectl")),
    "promtool": lambda: shutil.which("promtool") is not None,
    "postgresql": lambda: _postgres_bin() is not None,
    "compose": _compose_answers,
    "amtool": lambda: shutil.which("amtool") is not None,
    "nginx": lambda: shutil.which("nginx", path="/usr/sbin:/usr/bin") is not None,
    "chromium": lambda: shutil.which("chromium") is not None,
}
_answers: dict[str, bool] = {}
LONG = "INFRAAUDIT_TEST_LONG"
"""Set by --long, for the workers too."""


def _postgres_bin() -> str | None:
    candidates = [shutil.which("initdb"), *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")))]
    return next((str(Path(found).parent) for found in candidates if found), None)


def require(part: str) -> None:
    """Skip the test where an external part is missing; fail where INFRAAUDIT_TEST_REQUIRE names it."""
    if part not in _answers:
        _answers[part] = PARTS[part]()
    if _answers[part]:
        return
    if part in os.environ.get("INFRAAUDIT_TEST_REQUIRE", "").split(","):
        pytest.fail(f"{part} is required here (INFRAAUDIT_TEST_REQUIRE) and does not answer")
    pytest.skip(f"{part} does not answer on this machine")


@pytest.fixture(scope="session")
def needs() -> Callable[[str], None]:
    """``needs("engine")`` at the start of a test or fixture: skip, or fail where it is required."""
    return require


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long", action="store_true", help="also run the tests that only repeat others more often (make test-long)"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--long"):
        os.environ[LONG] = "1"


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One worker per core."""
    return os.cpu_count() or 1


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that use the engine or the Prometheus server are e2e, in any folder; long ones run only on request."""
    for item in items:
        if {"engine", "scraped"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("e2e")
        if item.get_closest_marker("e2e"):
            patient = pytest.mark.timeout(distribution.PATIENCE * distribution.limit_of(item))
            item.add_marker(patient, append=False)
    if not config.getoption("--long"):
        left = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]
    if "PYTEST_XDIST_WORKER" in os.environ:
        distribution.prepare(items)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    cache = getattr(session.config, "cache", None)
    if cache is not None and "PYTEST_XDIST_WORKER" not in os.environ:
        failed = cache.get("cache/lastfailed", {})
        cache.set("cache/lastfailed", {distribution.without_group(name): failed[name] for name in failed})


class Repository:
    """A real Git repository that a test writes commits to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._clock = 1_700_000_000
        path.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *words: str) -> str:
        self._clock += 60
        date = f"{self._clock} +0000"
        identity = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_AUTHOR_DATE": date}
        identity |= {"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org", "GIT_COMMITTER_DATE": date}
        done = subprocess.run(
            ["git", "-C", str(self.path), *words], env=os.environ | identity, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def write(self, files: Mapping[str, str | None], message: str) -> str:
        """Commit files by path; None removes one. Returns the SHA."""
        for path, content in files.items():
            target = self.path / path
            if content is None:
                target.unlink()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def write_odd(self, date: str = "1700000000 +0000", author: bytes = b"Ada", message: bytes = b"odd") -> str:
        """Add an empty commit in bytes that `git commit` would refuse. Returns the SHA."""
        header = f"tree {self.git('rev-parse', 'HEAD^{tree}')}\nparent {self.git('rev-parse', 'HEAD')}\n".encode()
        who = [role + author + b" <ada@example.org> " + date.encode() + b"\n" for role in (b"author ", b"committer ")]
        sha = self.write_object("commit", b"".join((header, *who, b"\n", message, b"\n")))
        self.git("reset", "--quiet", "--hard", sha)
        return sha

    def write_object(self, kind: str, content: bytes) -> str:
        """One object as it is, also what Git would refuse to make. Returns its name."""
        words = ["git", "-C", str(self.path), "hash-object", "-t", kind, "-w", "--stdin", "--literally"]
        return subprocess.run(words, input=content, check=True, capture_output=True).stdout.decode().strip()

    @staticmethod
    def lose(mirror: Mirror, sha: str) -> None:
        """Take one object away from a mirror."""
        (pack,) = mirror.path.glob("objects/pack/*.pack")
        words = ["git", "-C", str(mirror.path), "unpack-objects", "-q"]
        aside = pack.rename(mirror.path / "aside")
        subprocess.run(words, input=aside.read_bytes(), check=True)
        (mirror.path / "objects" / sha[:2] / sha[2:]).unlink()

    def mirror(self) -> Mirror:
        """A fetched mirror of this repository, next to it."""
        mirror = Mirror(str(self.path), self.path.parent / f"{self.path.name}.mirror")
        mirror.fetch()
        return mirror


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")
