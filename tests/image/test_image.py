"""Tests inside our image, where the pipeline runs this file on its own commits; most of them pass outside too.

Deliberately absent: everything that needs more than pytest, a network or a writable root.
"""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

INSTALLED = Path("/srv/infraaudit")
IN_IMAGE = INSTALLED.is_dir() and Path(sys.prefix) == Path("/opt/infraaudit")
ENTRYPOINT = shutil.which("infraaudit-entrypoint") or str(Path(__file__).parents[2] / "docker" / "entrypoint.sh")
only_in_image = pytest.mark.skipif(not IN_IMAGE, reason="this is not the image")


def enter(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    words = ["sh", ENTRYPOINT, "sh", "-c", command]
    return subprocess.run(words, env={"PATH": os.environ["PATH"]} | environment, capture_output=True, text=True)


def test_the_keys_of_a_secret_become_variables(tmp_path: Path) -> None:
    (tmp_path / "PGPASSWORD").write_text("a b$c\n")
    (tmp_path / "INFRAAUDIT_NOTIFY").write_text('["json://x"]')
    done = enter('printf "%s|%s" "$PGPASSWORD" "$INFRAAUDIT_NOTIFY"', INFRAAUDIT_SECRETS_FOLDER=str(tmp_path))
    assert done.stdout == 'a b$c|["json://x"]'


def test_a_secret_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "PGPASSWORD").symlink_to(tmp_path / "absent")
    done = enter("echo started", INFRAAUDIT_SECRETS_FOLDER=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert str(tmp_path / "PGPASSWORD") in done.stderr


def test_what_a_run_is_given_is_put_into_dagsters_instance_file(tmp_path: Path) -> None:
    (tmp_path / "shipped.yaml").write_text(
        "given: ['@COMPOSE_PROJECT@_state', '@COMPOSE_PROJECT@_other', '@DOCKER_GID@']"
    )
    done = enter(
        "cat $DAGSTER_HOME/dagster.yaml",
        INFRAAUDIT_DAGSTER_CONFIG=str(tmp_path / "shipped.yaml"),
        DAGSTER_HOME=str(tmp_path / "home"),
        INFRAAUDIT_COMPOSE_PROJECT="mine",
        INFRAAUDIT_DOCKER_GID="7",
    )
    assert done.stdout == "given: ['mine_state', 'mine_other', '7']"


def test_a_key_that_is_no_name_of_a_variable_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pg-password").write_text("secret")
    done = enter("echo started", INFRAAUDIT_SECRETS_FOLDER=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "pg-password" in done.stderr and "secret\n" not in done.stderr


@only_in_image
def test_every_role_has_its_program() -> None:
    programs = (
        "dagster",
        "dagster-webserver",
        "dagster-daemon",
        "infraaudit",
        "infraaudit-code-healthy",
        "infraaudit-daemon-healthy",
        "git",
        "docker",
    )
    assert [program for program in programs if shutil.which(program) is None] == []


@only_in_image
def test_the_definitions_load() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import infraaudit_assets.definitions as d; print(len(d.defs.get_repository_def().get_all_jobs()))"],
        cwd=INSTALLED, env=os.environ | {"HOME": "/tmp"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 2


@only_in_image
def test_nothing_is_compiled_at_run_time() -> None:
    packages = Path(sys.prefix) / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    for name in ("dagster", "checkov", "infraaudit_assets", "resources"):
        assert list((packages / name / "__pycache__").glob("*.pyc")), name


@only_in_image
def test_ssh_knows_who_it_runs_for_and_where_the_keys_are() -> None:
    done = subprocess.run(["ssh", "-G", "git.example.org"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert pwd.getpwuid(os.getuid()).pw_dir == "/var/lib/infraaudit"


@only_in_image
def test_it_runs_as_nobody_in_particular() -> None:
    assert os.getuid() == 10001
