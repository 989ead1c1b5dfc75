"""Tests of a commit in its image: what they can report, and what they cannot reach."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase
from infraaudit_domain.errors import EngineError
from resources.engine import Engine
from resources.engine.limits import Limits
from resources.engine.test_runner import run_tests
from tests.resources.engines import build

SUITE = """
import os, socket, pathlib, pytest

def test_a_user_that_owns_nothing():
    assert os.getuid() == 10001 and os.getgid() == 10001

@pytest.mark.parametrize("path", ["/reports/x", "/x", "/etc/x", "/usr/x"])
def test_nothing_can_be_written(path):
    with pytest.raises(OSError):
        pathlib.Path(path).write_text("x")

def test_the_working_directory_is_a_copy_that_can_be_written():
    for path in ("/app/x", "/app/tests/x"):
        assert not os.path.exists(path)
        pathlib.Path(path).write_text("x")
    assert os.access("/app/tests/run.sh", os.X_OK) and os.path.islink("/app/tests/link")
    assert __file__.startswith("/app/tests/")

def test_scratch_can_be_written_up_to_a_limit():
    pathlib.Path("/tmp/small").write_text("x")
    pathlib.Path("/data/small").write_text("x")
    with pytest.raises(OSError):
        with open("/tmp/big", "wb") as big:
            for _ in range(40):
                big.write(bytes(1 << 20)); big.flush()

def test_no_network():
    assert {name for _, name in socket.if_nameindex()} <= {"lo", "sit0", "tunl0", "ip6tnl0", "gre0"}
    with pytest.raises(OSError):
        socket.create_connection(("172.17.0.1", 5000), timeout=1)

def test_no_capability_and_no_new_privileges():
    status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"].strip() == "1"

def test_no_engine_socket_and_no_secret_of_ours():
    assert not os.path.exists("/var/run/docker.sock")
    assert not [name for name in os.environ if "INFRAAUDIT" in name or "DAGSTER" in name]

@pytest.mark.skip(reason="later")
def test_later(): ...

def test_wrong():
    assert 1 == 2, "one is not two"
"""
DOCKERFILE = (
    "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nWORKDIR /app\nVOLUME /data\nCOPY tests tests\n"
    "RUN touch tests/run.sh && chmod 755 tests/run.sh && ln -s run.sh tests/link\n"
)
LIMITS = Limits(seconds=30, memory_megabytes=128, processes=64, scratch_megabytes=32)
ENDINGS = {
    "nothing": ("x = 1\n", "found no test"),
    "forever": ("import time\n\ndef test_it():\n    time.sleep(60)\n", "no end after 2 s"),
    "memory": ("def test_it():\n    x = [bytearray(1 << 20) for _ in range(400)]\n", "128 MB of memory"),
    "no_report": ("import os\n\ndef test_it():\n    os._exit(0)\n", "no report"),
    "forged": ("import atexit, os\natexit.register(lambda: os._exit(7))\n\ndef test_it(): ...\n", "exit code 7"),
    "doctype": (
        "import atexit\natexit.register(lambda: open('/reports/junit.xml', 'w').write('<!DOCTYPE a>'))\n"
        "def test_it(): ...\n",
        "document type",
    ),
    "huge": (
        "import atexit\n"
        "def fill():\n"
        "    with open('/reports/junit.xml', 'wb') as f:\n"
        "        for _ in range(40): f.write(bytes(1 << 20)); f.flush()\n"
        "atexit.register(fill)\ndef test_it(): ...\n",
        "exit code|document type|longer than",
    ),
}

SETTINGS = {
    "addopts": (
        "[pytest]\naddopts = --cov --no-such",
        "unrecognized arguments: --no-such|unrecognized arguments: --cov",
    ),
    "plugins": ("[pytest]\nrequired_plugins = pytest-nowhere", "Missing required plugins: pytest-nowhere"),
    "old": ("[pytest]\nminversion = 99", "requires pytest-99"),
}
CONFTEST = "import a_module_that_is_missing\n"


@pytest.fixture(scope="module")
def image_id(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    files = {f"tests/{name}/test_{name}.py": text for name, (text, _) in ENDINGS.items()}
    files |= {f"tests/{name}/test_one.py": "def test(): ..." for name in (*SETTINGS, "conftest")}
    files |= {f"tests/{name}/pytest.ini": text for name, (text, _) in SETTINGS.items()}
    files |= {"tests/conftest/conftest.py": CONFTEST}
    files |= {"Dockerfile": DOCKERFILE, "tests/good/test_suite.py": SUITE, "tests/one/test_one.py": "def test(): ..."}
    return build(engine, tmp_path_factory.mktemp("image"), files).image_id


def _left(engine: Engine) -> list[str]:
    labels = {"infraaudit.kind": "tests"}
    return [*engine.containers(labels), *engine.volumes(labels)]


def test_results_come_out_and_nothing_else_is_in_reach(engine: Engine, image_id: str) -> None:
    run = run_tests(engine, image_id, "tests/good", limits=LIMITS)
    bad = {case.name: case.message for case in run.cases if case.is_bad}
    if engine.name == "podman":  # Podman gives the folder of a new volume to the user.
        assert bad.pop("tests/good/test_suite.py::test_nothing_can_be_written[/reports/x]", "").startswith(
            "Failed: DID NOT"
        )
        run = replace(run, cases=(*run.cases, TestCase("report folder", CaseOutcome.PASSED, 0)))
    assert list(bad) == ["tests/good/test_suite.py::test_wrong"], bad
    assert "one is not two" in bad["tests/good/test_suite.py::test_wrong"]
    assert (run.count(CaseOutcome.PASSED), run.count(CaseOutcome.SKIPPED), run.reason) == (10, 1, "")
    assert not run.succeeded and " passed, 1 skipped in " in run.output_tail and run.seconds > 0


@pytest.mark.parametrize("name", ENDINGS)
def test_a_run_without_a_usable_report_says_why(engine: Engine, image_id: str, name: str) -> None:
    limits = replace(LIMITS, seconds=2) if name == "forever" else LIMITS
    run = run_tests(engine, image_id, f"tests/{name}", limits=limits)
    assert not run.succeeded
    assert re.search(ENDINGS[name][1], run.reason), run


@pytest.mark.parametrize(
    ("name", "words"),
    [
        *((name, words) for name, (_, words) in SETTINGS.items()),
        ("conftest", "No module named 'a_module_that_is_missing'"),
    ],
)
def test_what_keeps_pytest_from_starting_is_said_in_its_words(
    engine: Engine, image_id: str, name: str, words: str
) -> None:
    run = run_tests(engine, image_id, f"tests/{name}", limits=LIMITS)
    assert not run.succeeded and re.search(words, run.reason), run.reason
    assert "installed" not in run.reason and "in the image" not in run.reason


@pytest.mark.parametrize("folder", ["/usr/src/app", "/"])
def test_wherever_the_working_directory_is_tests_write_beside_themselves(
    engine: Engine, tmp_path: Path, folder: str
) -> None:
    dockerfile = f"ARG BASE_IMAGE\nFROM ${{BASE_IMAGE}}\nWORKDIR {folder}\nCOPY tests src/tests\n"
    suite = "import pathlib\ndef test(): pathlib.Path(__file__).with_name('snapshot').write_text('x')"
    files = {"Dockerfile": dockerfile, "tests/test_one.py": suite}
    run = run_tests(engine, build(engine, tmp_path, files).image_id, "src/tests", limits=LIMITS)
    assert run.succeeded, run


def test_a_missing_path_an_option_and_a_missing_image(engine: Engine, image_id: str) -> None:
    assert "is it in the image" in run_tests(engine, image_id, "src/nowhere", limits=LIMITS).reason
    assert "an option" in run_tests(engine, image_id, "--version", limits=LIMITS).reason
    with pytest.raises(EngineError, match="materialize docker_image again"):
        run_tests(engine, f"sha256:{'0' * 64}", "tests", limits=LIMITS)


def test_an_image_without_python(engine: Engine, tmp_path: Path) -> None:
    image = build(engine, tmp_path, {"Dockerfile": "FROM scratch\nCOPY a /a\n", "a": "1"})
    assert "no python3 or python" in run_tests(engine, image.image_id, "tests", limits=LIMITS).reason


def test_an_engine_that_is_gone_is_an_error(engine: Engine, image_id: str) -> None:
    with pytest.raises(EngineError):
        run_tests(replace(engine, program="/nonexistent/docker"), image_id, "tests/one")


def test_a_killed_run_is_swept_by_the_next(engine: Engine, image_id: str) -> None:
    code = (
        "from resources.engine import detect_engine\nfrom resources.engine.test_runner import run_tests\n"
        f"run_tests(detect_engine({engine.name!r}), {image_id!r}, 'tests/forever', on_line=print)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.getcwd()})
    deadline = time.monotonic() + 20
    while not engine.containers({"infraaudit.kind": "tests"}, running_only=True):
        assert time.monotonic() < deadline and child.poll() is None
        time.sleep(0.1)
    mine = _left(engine)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert set(mine) & set(_left(engine)), "the engine keeps it running: the sweep removes it"
    run = run_tests(engine, image_id, "tests/one", limits=LIMITS)
    assert run.succeeded
    assert not set(mine) & set(_left(engine))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("WORKDIR /app\nRUN mv tests /t && rm -rf /app && ln -s /t /app", None),
        ("RUN rm -rf /reports && touch /reports", "No container for tests starts|"),
        ("WORKDIR /", "is it in the image"),
    ],
)
def test_odd_images_are_a_result_and_no_error_of_the_engine(
    engine: Engine,
    tmp_path: Path,
    lines: str,
    words: str | None,
) -> None:
    files = {"Dockerfile": f"{DOCKERFILE}{lines}\n", "tests/good/test_one.py": "def test(): ..."}
    run = run_tests(engine, build(engine, tmp_path, files).image_id, "tests/good", limits=LIMITS)
    assert words is None or re.search(words, run.reason)


def test_a_folder_with_its_own_python_is_used_as_it_is(engine: Engine, tmp_path: Path) -> None:
    own = 'RUN mkdir bin && ln -s $(command -v python3) bin/mine\nENV PATH=/app/bin\nRUN ["/app/bin/mine", "-c", "import os; os.rename(\'/app/bin/mine\', \'/app/bin/python3\')"]\n'
    files = {"Dockerfile": DOCKERFILE + own, "tests/good/test_one.py": "def test(): ..."}
    run = run_tests(engine, build(engine, tmp_path, files).image_id, "tests/good", limits=LIMITS)
    assert run.succeeded, run.reason + run.output_tail
