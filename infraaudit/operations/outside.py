"""Ask external parts of the pipeline whether they are there, in which version; who needs which of them asks.

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
Ask = Callable[[], tuple[str, str]]
"""Gives a part's version and detail. Raises where the part is not there."""
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
class Question:
    """How one part is asked."""

    name: str
    lost: str
    ask: Ask
    """Version and detail. Raises where the part is not there."""
    needed: bool = False


class NotConfiguredError(InfraAuditError):
    """The installation does without the part, or the part is not as it would have to be."""


def ask_all(questions: Sequence[Question]) -> list[Part]:
    """The answers, in the order of the questions. Takes seconds at most, and raises nothing."""
    for client in _CLIENTS if questions else ():
        # What cannot be imported is reported by the check that needs it.
        with suppress(ImportError):
            import_module(client)
    began = monotonic()
    asked = [(question, _asked(question)) for question in questions]
    return [_answer(question, answers, began + SECONDS) for question, answers in asked]


def _asked(question: Question) -> "Queue[Part]":
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


def _answer(question: Question, answers: "Queue[Part]", deadline: float) -> Part:
    try:
        return answers.get(timeout=max(deadline - monotonic(), 0.01))
    except Empty:
        words = f"no answer within {SECONDS:g} s"
        return Part(question.name, False, "", words, question.lost, question.needed)


def git() -> tuple[str, str]:
    """The git program."""
    done = process.run(["git", "--version"], timeout=SECONDS)
    return done.text.removeprefix("git version ").strip(), shutil.which("git") or ""


def engine(choice: str) -> Ask:
    """The container engine of this choice."""

    def ask() -> tuple[str, str]:
        found = detect_engine(choice, timeout=SECONDS * 0.8)
        return f"{found.name} {found.version}", found.program

    return ask


def builder(choice: str) -> Ask:
    """BuildKit, by the engine's own program."""

    def ask() -> tuple[str, str]:
        found = detect_engine(choice, timeout=SECONDS * 0.8)
        if found.builder is Builder.LEGACY:
            raise NotConfiguredError(f"{found.build_program} has only the legacy builder: install the buildx plugin")
        return str(found.builder), found.build_program

    return ask


def build_box() -> tuple[str, str]:
    """What a build's box needs of this machine."""
    if lacking := missing():
        raise NotConfiguredError(f"this machine lacks {'; '.join(lacking)}")
    return "", str(gives())


def cluster(target: str, kubeconfig: Path | None, context: str | None = None) -> Ask:
    """The cluster of a kubeconfig's context, where the target is not something else."""

    def ask() -> tuple[str, str]:
        if target in ("container", "none"):
            raise NotConfiguredError(f"not asked: INFRAAUDIT_TARGET is {target}")
        found = connect(kubeconfig, context)
        where = f"context {found.context}"
        if not found.verified:
            where += (
                ", whose certificate nobody verifies (insecure-skip-tls-verify): "
                "name its certificate-authority in the kubeconfig"
            )
        return found.version, where

    return ask


def registry(repository: str) -> Ask:
    """The registry of a repository of images, with or without TLS."""

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


def no_registry() -> tuple[str, str]:
    """No project names a registry."""
    raise NotConfiguredError("no project names one (registry in the projects file)")


def tool(name: str, option: str) -> Ask:
    """A program, and its version by this option."""

    def ask() -> tuple[str, str]:
        try:
            done = process.run([name, option], timeout=SECONDS)
        except ToolMissingError:
            raise NotConfiguredError("not installed") from None
        # Some print their version to stderr.
        words = (done.text + done.stderr.decode("utf-8", "replace")).split()
        return next((word for word in words if word[:1].isdigit()), ""), shutil.which(name) or ""

    return ask


def http(url: str | None, setting: str, path: str) -> Ask:
    """A Prometheus or Grafana at a configured address."""

    def ask() -> tuple[str, str]:
        if not url:
            raise NotConfiguredError(f"not configured (INFRAAUDIT_{setting.upper()})")
        if urlsplit(url).scheme not in ("http", "https"):
            raise NotConfiguredError(f"INFRAAUDIT_{setting.upper()} is no http address")
        base = url.rstrip("/")
        with urllib.request.urlopen(base + path, timeout=SECONDS * 0.8) as answer:
            body = answer.read(10000)
        if setting == "prometheus_url":
            with urllib.request.urlopen(f"{base}/api/v1/status/buildinfo", timeout=SECONDS * 0.8) as answer:
                body = json.dumps(json.loads(answer.read(10000)).get("data") or {}).encode()
        said = json.loads(body)
        return str(said.get("version", "")), base

    return ask


def database(url: str) -> Ask:
    """The database of the history; nothing is made."""

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
