"""Builds through the installed program: a commit that is refused, and one that goes through, in the project's box."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from resources.engine.box.requirements import missing
from tests.conftest import Repository, require
from tests.resources.engines import BASE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
PROGRAM = Path(sys.executable).with_name("infraaudit")
DOCKERFILE = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nWORKDIR /app\nCOPY . .\n"
CANARY = "canary-5b70d2"


@pytest.fixture
def environment(tmp_path: Path, repository: Repository) -> dict[str, str]:
    require("engine")
    if lacking := missing():
        pytest.skip(f"this machine gives no box for builds; it lacks {'; '.join(lacking)}")
    projects = tmp_path / "projects.yaml"
    projects.write_text(f"projects: [{{name: boxed, url: {repository.path}, build_isolation: box}}]")
    return os.environ | {
        "INFRAAUDIT_HOME": str(tmp_path / "home"),
        "INFRAAUDIT_REPORTS": str(tmp_path / "reports"),
        "INFRAAUDIT_PROJECTS": str(projects),
        "INFRAAUDIT_BASE_IMAGE": BASE,
        "INFRAAUDIT_TARGET": "none",
        "SECRET_TOKEN": CANARY,
    }


def _run(environment: dict[str, str]) -> dict[str, Any]:
    # Another program between the test's Python and that of InfraAudit, as a shell is.
    words = ["timeout", "240", PROGRAM, "run", "--project", "boxed", "--commit", "main", "--json"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=250)
    assert CANARY not in done.stdout + done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_a_commit_is_refused_in_words_and_the_next_goes_through(
    environment: dict[str, str], repository: Repository, tmp_path: Path
) -> None:
    tests = {"src/tests/test_it.py": "import os\n\ndef test_it():\n    open('made', 'w').close()\n"}
    bad = f'{DOCKERFILE}RUN env | grep -c {CANARY} && exit 1 || true\nVOLUME ["/reports/junit.xml"]\n'
    repository.write({"docker/Dockerfile": bad} | tests, "hostile")
    refused = _run(environment)
    assert not refused["succeeded"]
    assert "is refused: it declares the volume '/reports/junit.xml'" in json.dumps(refused)
    repository.write({"docker/Dockerfile": DOCKERFILE}, "good")
    good = _run(environment)
    assert (good["tests"]["passed"], good["tests"]["failed"]) == (1, 0), good
    assert (tmp_path / "home" / "boxes" / "boxed" / "last-layers").exists()
    end = time.monotonic() + 20
    while (left := _keepers(tmp_path)) and time.monotonic() < end:
        time.sleep(0.2)
    assert left == [], "a box ends with the program that started it"


def _keepers(folder: Path) -> list[Path]:
    """The processes that keep boxes below a folder."""
    found = [file for file in Path("/proc").glob("[0-9]*/cmdline") if _mentions(file, "resources.engine.box.keeper")]
    return [file for file in found if str(folder) in os.path.realpath(file.with_name("cwd"))]


def _mentions(file: Path, word: str) -> bool:
    try:
        return word.encode() in file.read_bytes()
    except OSError:
        return False
