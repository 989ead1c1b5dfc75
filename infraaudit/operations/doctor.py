"""Check every external part of the pipeline: whether it is there, its version, and what does not work without it.

Every check has a time limit, and all run at once: the slowest one decides how long it takes, and a part that hangs is
reported. Deliberately absent: repairing anything.
"""

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from time import monotonic
from urllib.parse import urlsplit

from infraaudit_domain.errors import InfraAuditError, ToolMissingError, excerpt
from resources.engine import Builder, detect_engine
from resources.engine.box.requirements import gives, missing
from resources.machine import process
from resources.targets.cluster import connect

SECONDS = 3.0
# Imported before the clock starts, because a slow disk is no hanging part.
_CLIENTS = ("kubernetes.client", "kubernetes.config", "sqlalchemy", "resources.targets.cluster", "resources.engine")


@dataclass(frozen=True, slots=True)
class Part:
    """The current state of one external part."""

    name: str
    found: bool
    version: str = ""
    detail: str = ""
    """Its address, or why it does not answer."""
    lost: str = ""
    """What the pipeline does not do without it."""
    needed: bool = False
    """Whether nothing works without it."""


@dataclass(frozen=True, slots=True)
class _Question:
    name: str
    lost: str
    ask: Callable[[], tuple[str, str]]
    """Version and detail. Raises where the part is not there."""
    needed: bool = False


class _NotConfigured(InfraAuditError):
    pass


def examine(
    *,
    engine: str = "auto",
    kubeconfig: Path | None = None,
    target: str = "auto",
    registries: Sequence[str] = (),
    prometheus_url: str | None = None,
    grafana_url: str | None = None,
    database_url: str = "",
) -> list[Part]:
    """Every external part, in the order of the pipeline. Takes seconds at most, and raises nothing."""
    questions = [
        _Question("git", "everything: commits are read with it", _git, needed=True),
        _Question("engine", "build, tests and container deployment; scan, history and trends work", _engine(engine)),
        _Question("builder", "RUN --mount and parallel stages in Dockerfiles, without BuildKit", _builder(engine)),
        _Question("build box", "builds, unless build_isolation is none: then on the engine itself, as root", _box),
        _Question("cluster", "Kubernetes; containers of the engine instead", _cluster(target, kubeconfig)),
        *(
            _Question(f"registry {name.partition('/')[0]}", "deployment by digest", _registry(name))
            for name in dict.fromkeys(registries)
        ),
        *([] if registries else [_Question("registry", "deployment by digest; local images instead", _no_registry)]),
        _Question("promtool", "the check of prometheus.yml and its rules", _tool("promtool", "--version")),
        _Question("prometheus", "stored metrics, alerts", _http(prometheus_url, "prometheus_url", "/-/ready")),
        _Question("grafana", "dashboards in Grafana", _http(grafana_url, "grafana_url", "/api/health")),
        _Question("database", "everything: the history is kept in it", _database(database_url), needed=True),
    ]
    return _ask_all(questions)


def _ask_all(questions: Sequence[_Question]) -> list[Part]:
    for client in _CLIENTS:
        # What cannot be imported is reported by the check that needs it.
        with suppress(ImportError):
            import_module(client)
    began = monotonic()
    asked = [(question, _asked(question)) for question in questions]
    return [_answer(question, answers, began + SECONDS) for question, answers in asked]


def _asked(question: _Question) -> "Queue[Part]":
    answers: Queue[Part] = Queue()

    def work() -> None:
        try:
            version, detail = question.ask()
            answers.put(Part(question.name, True, version, detail, question.lost, question.needed))
        except Exception as error:  # The table shows every error of a part.
            words = excerpt(str(error), 300) or type(error).__name__
            answers.put(Part(question.name, False, "", words, question.lost, question.needed))

    # A daemon thread: one that hangs does not keep the program running.
    Thread(target=work, daemon=True, name=f"doctor-{question.name}").start()
    return answers


def _answer(question: _Question, answers: "Queue[Part]", deadline: float) -> Part:
    try:
        return answers.get(timeout=max(deadline - monotonic(), 0.01))
    except Empty:
        words = f"no answer within {SECONDS:g} s"
        return Part(question.name, False, "", words, question.lost, question.needed)


def _git() -> tuple[str, str]:
    done = process.run(["git", "--version"], timeout=SECONDS)
    return done.text.removeprefix("git version ").strip(), shutil.which("git") or ""


def _engine(choice: str) -> Callable[[], tuple[str, str]]:
    def ask() -> tuple[str, str]:
        found = detect_engine(choice, timeout=SECONDS * 0.8)
        return f"{found.name} {found.version}", found.program

    return ask


def _builder(choice: str) -> Callable[[], tuple[str, str]]:
    def ask() -> tuple[str, str]:
        found = detect_engine(choice, timeout=SECONDS * 0.8)
        if found.builder is Builder.LEGACY:
            raise _NotConfigured(f"{found.build_program} has only the legacy builder: install the buildx plugin")
        return str(found.builder), found.build_program

    return ask


def _box() -> tuple[str, str]:
    if lacking := missing():
        raise _NotConfigured(f"this machine lacks {'; '.join(lacking)}")
    return "", str(gives())


def _cluster(target: str, kubeconfig: Path | None) -> Callable[[], tuple[str, str]]:
    def ask() -> tuple[str, str]:
        if target in ("container", "none"):
            raise _NotConfigured(f"not asked: INFRAAUDIT_TARGET is {target}")
        cluster = connect(kubeconfig)
        where = f"context {cluster.context}"
        if not cluster.verified:
            where += (
                ", whose certificate nobody verifies (insecure-skip-tls-verify): "
                "name its certificate-authority in the kubeconfig"
            )
        return cluster.version, where

    return ask


def _registry(repository: str) -> Callable[[], tuple[str, str]]:
    def ask() -> tuple[str, str]:
        host = repository.partition("/")[0]
        for scheme in ("https", "http"):
            try:
                status = _status(f"{scheme}://{host}/v2/")
            except OSError as error:
                problem = error
                continue
            return "API 2", f"{scheme}://{host}{' (asks for a login)' if status == 401 else ''}"
        raise problem

    return ask


def _no_registry() -> tuple[str, str]:
    raise _NotConfigured("no project names one (registry in the projects file)")


def _tool(name: str, option: str) -> Callable[[], tuple[str, str]]:
    def ask() -> tuple[str, str]:
        try:
            done = process.run([name, option], timeout=SECONDS)
        except ToolMissingError:
            raise _NotConfigured("not installed") from None
        # Some print their version to stderr.
        words = (done.text + done.stderr.decode("utf-8", "replace")).split()
        return next((word for word in words if word[:1].isdigit()), ""), shutil.which(name) or ""

    return ask


def _http(url: str | None, setting: str, path: str) -> Callable[[], tuple[str, str]]:
    def ask() -> tuple[str, str]:
        if not url:
            raise _NotConfigured(f"not configured (INFRAAUDIT_{setting.upper()})")
        if urlsplit(url).scheme not in ("http", "https"):
            raise _NotConfigured(f"INFRAAUDIT_{setting.upper()} is no http address")
        base = url.rstrip("/")
        with urllib.request.urlopen(base + path, timeout=SECONDS * 0.8) as answer:
            body = answer.read(10000)
        if setting == "prometheus_url":
            with urllib.request.urlopen(f"{base}/api/v1/status/buildinfo", timeout=SECONDS * 0.8) as answer:
                body = json.dumps(json.loads(answer.read(10000)).get("data") or {}).encode()
        said = json.loads(body)
        return str(said.get("version", "")), base

    return ask


def _database(url: str) -> Callable[[], tuple[str, str]]:
    def ask() -> tuple[str, str]:
        import sqlalchemy as sa

        address = sa.engine.make_url(url)
        if address.get_backend_name() == "sqlite":
            import sqlite3

            file = Path(address.database or "")
            if file.is_file():
                with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=1) as connection:
                    connection.execute("select count(*) from sqlite_master")
            return f"SQLite {sqlite3.sqlite_version}", f"{file}{'' if file.exists() else ' (made at the first run)'}"
        engine = sa.create_engine(address, connect_args={"connect_timeout": int(SECONDS)})
        try:
            with engine.connect() as connection:
                version = ".".join(map(str, connection.dialect.server_version_info or ()))
        finally:
            engine.dispose()
        return f"{address.get_backend_name()} {version}", address.render_as_string(hide_password=True)

    return ask


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=SECONDS / 3) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)
