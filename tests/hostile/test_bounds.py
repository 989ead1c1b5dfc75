"""What of a commit or a peer we parse ourselves: bounded in size, depth, expansion, count and time; never a traceback."""

import json
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infraaudit_domain.delivery.dockerfile import images_read, without_syntax
from infraaudit_domain.errors import InfraAuditError
from infraaudit_domain.forges import moved_branches
from infraaudit_domain.kubernetes.manifest_policy import ManifestPolicy
from infraaudit_domain.log_lines import level_of, mask_secrets
from infraaudit_domain.projects import Environment, Paths, Project
from infraaudit_domain.reporting.owners import owners_of, parse_owners
from resources.engine.junit_report import read_report
from resources.history import History
from resources.history.pushes import Push, waiting_pushes
from resources.machine.inbox import Inbox
from resources.manifests.files import render_release
from resources.prometheus import render_prometheus, target_is_up
from service.received import Received
from tests.hostile.limited import said

MB = 1 << 20
GROWING = "ARG A0=aaaaaaaaaa\n" + "".join(f"ARG A{n}={f'$A{n - 1}' * 10}\n" for n in range(1, 20)) + "FROM $A19\n"
DOCKERFILES = {
    "ARGs that multiply": (GROWING, "'?'"),
    "5,000 mounts in a RUN": ("FROM a\nRUN " + "--mount=type=cache " * 5000 + "make", "('a',)"),
    "50,000 mounts from an image": ("FROM a\nRUN " + "--mount=from=b " * 50_000 + "make", "('a', 'b')"),
    "a line that goes on 300,000 times": ("FROM a\nRUN x \\\n" + "y \\\n" * 200_000, "('a',)"),
    "comments and nothing else": ("#\n" * 400_000 + "FROM a", "('a',)"),
    "an ARG of unclosed braces": ("ARG X=" + "${A:-" * 200_000 + "\nFROM $X", "'?'"),
    "a FROM of a megabyte": ("FROM a" + " " * 900_000 + "b", "'?'"),
    "100,000 ARGs": ("".join(f"ARG A{n}=x\n" for n in range(80_000)) + "FROM ${A79999}", "'?'"),
    "a second mount, quoted": ('FROM a\nRUN --mount=from=b --mount="type=bind,from=c" x', "('a', 'b', 'c')"),
    "an image of ONBUILD": ("FROM a\nONBUILD COPY --from=b / /", "('a', 'b')"),
}


@pytest.mark.parametrize("name", DOCKERFILES)
def test_a_dockerfile(name: str) -> None:
    text, expected = DOCKERFILES[name]
    assert expected in said(lambda: (images_read(text, {}), without_syntax(text))[0])


def bomb(levels: int, merge: str) -> str:
    levels_of = (f"a{n}: &a{n} {merge % ', '.join([f'*a{n - 1}'] * 9)}\n" for n in range(1, levels))
    return "a0: &a0 {x: 1}\n" + "".join(levels_of)


PROMETHEUS = {
    "merge keys that multiply": (bomb(9, "{<<: [%s]}"), "more than 20000 values"),
    "aliases that multiply": (bomb(9, "[%s]"), "more than 20000 values"),
    "an alias of itself": ("global: &g {a: *g}", "inside of"),
    "a number of 5,000 digits": ("global: {scrape_interval: " + "9" * 5000 + "}", "a number of 5000 characters"),
    "a number to the base of 16": ("global: {scrape_interval: 0x" + "f" * 5000 + "}", "a number of 5002 characters"),
    "5,000 levels": ("global: " + "[" * 5000, "nested deeper"),
    "a date that is none": ("global: {evaluation_interval: 2024-02-30}", "2024-02-30"),
    "101 jobs": ("scrape_configs:\n" + "- {job_name: a}\n" * 101, "101 scrape_configs"),
    "two megabytes": ("a: " + "b" * 2 * MB, "longer than"),
    "a key that is a list": ("? [a]\n: b", "a key must be a plain value"),
    "half of a pair of surrogates": ("\ud800: a", "no YAML"),
    "an object of Python": ("!!python/object/apply:os.system [id]", "is not allowed"),
    "an alias that is honest": ("x: &j {job_name: a}\nscrape_configs: [*j]", "job_name: a"),
}


@pytest.mark.parametrize("name", PROMETHEUS)
def test_a_prometheus_yml(name: str) -> None:
    text, expected = PROMETHEUS[name]
    assert expected in said(lambda: render_prometheus("shop", text, ["a:1"]).text)


def suites(inner: bytes) -> bytes:
    return b"<testsuites>" + inner + b"</testsuites>"


REPORTS = {
    "31 MB of empty suites": (lambda: suites(b"<testsuite/>" * (31 * MB // 12)), "more than 1000000 elements"),
    "31 MB inside each other": (lambda: suites(b"<a>" * (10 * MB)), "50 inside each other"),
    "one attribute of 31 MB": (lambda: b"<testsuites a='" + b"a" * 31 * MB + b"'/>", "a tag of more than 2 MB"),
    "two million attributes": (
        lambda: b"<testsuites " + b" ".join(b"a%d=''" % n for n in range(2_000_000)) + b"/>", "a tag of more than",
    ),
    "a message of 31 MB": (
        lambda: suites(b"<testcase><failure>" + b"a" * 31 * MB + b"</failure></testcase>"), "FAILED",
    ),
    "100,001 tests": (lambda: suites(b"<testcase/>" * 100_001), "more than 100000 tests"),
    "an entity that multiplies": (lambda: b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
    "a declaration of 31 MB": (lambda: b"<?xml" + b" " * 31 * MB + b"?><a/>", "a tag of more than"),
    "a time of 5,000 digits": (lambda: suites(b"<testcase time='" + b"9" * 5000 + b"'/>"), "seconds=0.0"),
}  # fmt: skip


@pytest.mark.e2e  # Reports of 31 MB take seconds of a processor.
@pytest.mark.parametrize("name", REPORTS)
def test_a_report_of_tests(name: str) -> None:
    make, expected = REPORTS[name]
    content = make()
    assert expected in said(lambda: read_report(content))


MANIFEST = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %s}\nspec: {template: {spec: {containers: %s}}}\n"
ONE = "[{name: a, image: b}]"
MANIFESTS = {
    "a first document of a list's kind": ("kind: [a]\n---\n" + MANIFEST % ("a", ONE), "is no Kubernetes object"),
    "capabilities that are lists": (
        MANIFEST % ("a", "[{name: a, image: b, securityContext: {capabilities: {add: [[a]]}}}]"),
        "capabilities.add",
    ),
    "a name that leads elsewhere": (MANIFEST % ("../../other/configmaps/x", ONE), "metadata.name"),
    "a name with a question": (MANIFEST % ("x?force=true", ONE), "metadata.name"),
    "a name of 5,000 letters": (MANIFEST % ("x" * 5000, ONE), "metadata.name"),
    "aliases": (MANIFEST % ("a", ONE) + "x: &x [a]\ny: *x", "aliases are not allowed"),
    "a number of 5,000 digits": (MANIFEST % ("a", ONE) + "x: " + "9" * 5000, "a number of 5000 characters"),
    "5,000 levels": (MANIFEST % ("a", ONE) + "x: " + "{a: " * 5000, "nested deeper"),
    "200,000 values": (MANIFEST % ("a", ONE) + "x:\n" + "- a\n" * 200_000, "more than 100000 values"),
    "a key twice": (MANIFEST % ("a", ONE) + "kind: Service", "the key kind is given twice"),
    "a set": (MANIFEST % ("a", ONE) + "x: !!set {a}", "is not allowed"),
    "a document that is a number": ("7\n---\n" + MANIFEST % ("a", ONE), "is no Kubernetes object"),
    "a file name that is no text": (MANIFEST % ("a", "7"), "must be a list"),
}


def rendered(folder: Path) -> str:
    project = Project("shop", "/x", paths=Paths(manifests=("k8s",)))
    return render_release(folder, project, Environment(), "a" * 40, "i:1", ManifestPolicy())


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest(name: str, tmp_path: Path) -> None:
    text, expected = MANIFESTS[name]
    (tmp_path / "k8s").mkdir()
    file = b"k8s/\xff.yaml" if "file name" in name else b"k8s/a.yaml"
    Path(str(tmp_path), file.decode("utf-8", "surrogateescape")).write_text(text)
    answer = said(lambda: rendered(tmp_path))
    assert answer.startswith("ManifestError") and expected in answer
    answer.encode()


def test_a_folder_of_10_000_manifests_and_one_of_many_megabytes(tmp_path: Path) -> None:
    (tmp_path / "k8s").mkdir()
    for number in range(600):
        (tmp_path / f"k8s/{number}.yaml").write_text("a: " + "b" * 20_000)
    assert "more than the 500" in said(lambda: rendered(tmp_path))
    for number in range(200):
        (tmp_path / f"k8s/{number}.yaml").unlink()
    (tmp_path / "k8s/300.yaml").write_text("a: " + "b" * 2 * MB)
    assert "are the most that is read" in said(lambda: rendered(tmp_path))


KUSTOMIZATIONS = {
    "a name that no file can have": ("resources: [" + "a" * 400 + "]", "only files of the commit"),
    "100,000 resources": ("resources:\n" + "- a.yaml\n" * 90_000, "90000 files"),
    "an alias": ("a: &a [x]\nresources: *a", "aliases are not allowed"),
    "a generator that runs": ("generators: [x]", "uses generators"),
}


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_a_kustomization(name: str, tmp_path: Path) -> None:
    text, expected = KUSTOMIZATIONS[name]
    (tmp_path / "k8s").mkdir()
    (tmp_path / "k8s/kustomization.yaml").write_text(text)
    assert expected in said(lambda: rendered(tmp_path))


CODEOWNERS = {
    "2,000 rules for 100,000 files": ("/a/**/b*c*d @x\n" * 2000, [f"a/b/{n}" for n in range(100_000)]),
    "stars in every folder": ("**/*a/**/*a/**/*a/**/*a*b @x\n" * 2000, ["/".join(["a" * 250] * 16)] * 1000),
    "a pattern of 60 KB": ("*a" * 30_000 + " @x", ["a" * 250] * 1000),
}


@pytest.mark.e2e
@pytest.mark.parametrize("name", CODEOWNERS)
def test_code_owners(name: str) -> None:
    text, paths = CODEOWNERS[name]
    assert said(lambda: owners_of(parse_owners(text), paths), seconds=15) == "()"


@pytest.mark.parametrize(
    "line",
    ["-eyJ" * 2000 + "a" * 12, "://a:" * 1600, "token " * 1300, '{"level": ' + "9" * 5000 + "}", "[" * 8000],
    ids=["half a token, 2,000 times", "half a URL", "a word for secrets", "a level of 5,000 digits", "8,000 brackets"],
)
def test_a_log_line(line: str) -> None:
    began = time.process_time()
    for _ in range(20):
        level_of(mask_secrets(line))
    assert time.process_time() - began < 1


BRANCHES = ["x\ud800y", "x\udfff", "a\0b", "../../x", "-x", "a b", "x" * 300, "x..y", "x.lock", "a\x7fb", ""]


@pytest.mark.parametrize("branch", BRANCHES, ids=ascii)
def test_a_branch_in_a_signed_push(branch: str) -> None:
    with pytest.raises(InfraAuditError, match=r"ref is no branch|ref is no text"):
        moved_branches("plain", {}, {"ref": f"refs/heads/{branch}", "after": "a" * 40})


def stored(**changed: Any) -> bytes:
    push = {"id": "1", "project": "shop", "forge": "plain", "branch": "main", "before": "", "after": "a" * 40}
    push |= {"received_at": datetime.now(UTC).isoformat(), "attempts": 0} | changed
    return json.dumps([push]).encode()


ITEMS: dict[str, bytes] = {
    "half of a pair of surrogates": stored(branch="x\ud800y"),
    "a branch with a zero": stored(branch="x\0y"),
    "a number for a branch": stored(branch=7),
    "a project of a megabyte": stored(project="x" * MB),
    "a SHA that is none": stored(after="'; drop table"),
    "attempts that are a list": stored(attempts=[]),
    "a time that is none": stored(received_at="never"),
    "a key too many": stored(more=1),
    "no JSON": b"{",
    "100,000 brackets": b"[" * 100_000,
    "a text for a list": b'"x"',
    "a list of numbers": b"[1]",
    "bytes that are no text": b"\xff\xfe\xff",
}


@pytest.mark.parametrize("name", ITEMS)
def test_one_bad_item_in_the_inbox_stops_no_other_projects_push(name: str, history: History, tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox")
    received = Received(inbox, history)
    (tmp_path / "inbox/bad").write_bytes(ITEMS[name])
    (tmp_path / "inbox/folder").mkdir()
    received.keep("good", [Push("good-0", "bank", "plain", "main", "", "b" * 40, datetime.now(UTC))])
    assert received.move_to(history) == 1
    assert [push.id for push in waiting_pushes(history, "bank")] == ["good-0"]
    assert (tmp_path / "inbox/.refused-bad").exists() and not list(inbox.items())


def _endless(stream: socket.socket) -> None:
    stream.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        stream.sendall(b"a 1\n" * 10_000)


def _one_byte_a_second(stream: socket.socket) -> None:
    stream.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        stream.sendall(b"x")
        time.sleep(0.2)


def _always_continue(stream: socket.socket) -> None:
    while True:
        stream.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def _junk(stream: socket.socket) -> None:
    stream.sendall(b"\0" * 100_000)


ANSWERS: dict[str, tuple[Callable[[socket.socket], None], str]] = {
    "/metrics without an end": (_endless, "None"),
    "a header without an end": (_one_byte_a_second, "does not answer"),
    "continue, continue": (_always_continue, "does not answer"),
    "no HTTP": (_junk, "does not answer"),
    "silence": (lambda _: time.sleep(60), "does not answer"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_a_deployed_application_answers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resources.prometheus._ANSWER_SECONDS", 0.5)
    answer, expected = ANSWERS[name]
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server, answer), daemon=True).start()
        began = time.monotonic()
        assert expected in str(target_is_up(f"http://127.0.0.1:{server.getsockname()[1]}"))
        assert time.monotonic() - began < 3


def _serve(server: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    try:
        stream, _ = server.accept()
        with stream:
            stream.recv(65536)
            answer(stream)
    except OSError:
        return
