"""Pushing to real registries, one of which requires a login, and to a server that is no registry."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from infraaudit_domain.errors import ConfigurationError, EngineError
from resources.engine import Engine
from resources.engine.registry import TRIES, push
from tests.conftest import require
from tests.resources.engines import build

REPOSITORY = f"127.0.0.1:5000/engine-tests-{os.getpid()}/app"


def test_the_digest_is_the_registrys(engine: Engine, tmp_path: Path) -> None:
    require("registry")
    image = build(engine, tmp_path, {"Dockerfile": "FROM scratch\nCOPY a /a\n", "a": "1"})
    reference = push(engine, image, REPOSITORY)
    name, _, digest = reference.partition("@")
    assert name == REPOSITORY
    path = name.partition("/")[2]
    with urllib.request.urlopen(f"http://127.0.0.1:5000/v2/{path}/tags/list", timeout=5) as answer:
        assert json.load(answer)["tags"] == [image.reference.rpartition(":")[2]]
    asked = urllib.request.Request(
        f"http://127.0.0.1:5000/v2/{path}/manifests/{digest}",
        headers={"Accept": "application/vnd.docker.distribution.manifest.v2+json"},
    )
    with urllib.request.urlopen(asked, timeout=5) as answer:
        assert answer.headers["Docker-Content-Digest"] == digest
    assert push(engine, image, REPOSITORY) == reference
    tag = image.reference.rpartition(":")[2]
    engine.remove_image(f"{REPOSITORY}:{tag}")
    engine.remove_image(image.reference)
    engine.run("pull", "--quiet", reference)
    pulled = engine.find_image(reference)
    assert pulled is not None and pulled.image_id == image.image_id
    engine.remove_image(reference)


def test_a_push_that_says_nothing_has_its_digest_from_the_engine(engine: Engine, tmp_path: Path) -> None:
    require("registry")
    image = build(engine, tmp_path, {"Dockerfile": "FROM scratch\nCOPY a /a\n", "a": "3"})
    printed = push(engine, image, f"{REPOSITORY}-printed")
    silent = tmp_path / "silent"
    silent.write_text(
        f'#!/bin/sh\n[ "$1" = push ] && exec {engine.program} "$@" >/dev/null\nexec {engine.program} "$@"\n'
    )
    silent.chmod(0o755)
    quiet = push(replace(engine, program=str(silent)), image, f"{REPOSITORY}-quiet")
    assert quiet.rpartition("@")[2] == printed.rpartition("@")[2]
    for name in ("printed", "quiet"):
        engine.remove_image(f"{REPOSITORY}-{name}:{image.reference.rpartition(':')[2]}")
    engine.remove_image(image.reference)


def test_a_registry_that_is_gone_is_tried_again_and_a_bad_name_is_not(engine: Engine, tmp_path: Path) -> None:
    image = build(engine, tmp_path, {"Dockerfile": "FROM scratch\nCOPY a /a\n", "a": "1"})
    said: list[str] = []
    with pytest.raises(EngineError, match=r"Is 127\.0\.0\.1:9 up"):
        push(engine, image, "127.0.0.1:9/app", pause=0.01, on_line=said.append)
    assert sum("trying again" in line for line in said) == TRIES - 1
    engine.remove_image(f"127.0.0.1:9/app:{image.reference.rpartition(':')[2]}")


def test_a_refusal_is_not_tried_again(tmp_path: Path) -> None:
    program = tmp_path / "docker"
    program.write_text(
        f"#!/bin/sh\n[ $1 = push ] && echo x >>{tmp_path}/tries && echo 'denied: no' >&2 && exit 1\nexit 0"
    )
    program.chmod(0o755)
    from infraaudit_domain.delivery.images import Image
    from resources.engine import Builder

    fake = Engine("docker", "1", str(program), Builder.LEGACY, str(program))
    with pytest.raises(ConfigurationError, match=r"login registry\.example"):
        push(fake, Image("infraaudit/a:1", "sha256:1", 1, 1, "x"), "registry.example/app")
    assert (tmp_path / "tries").read_text() == "x\n"


class GuardedRegistry:
    """A private registry that knows the user `robot` with the password `hunter2`."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{probe.getsockname()[1]}"
        (folder / "users").write_text("robot:$2b$05$4lrUdYUmEwi0wFXf2QE/juiPLtM8mE0MAns63lyEmsbUu6dSSLgJG\n")
        self._config = folder / "registry.yml"
        self._config.write_text(
            f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder / 'data'}}}}}\n"
            f"http: {{addr: {self.host}}}\nauth: {{htpasswd: {{realm: test, path: {folder / 'users'}}}}}\n"
        )

    def start(self) -> None:
        words = ["docker-registry", "serve", str(self._config)]
        # The registry takes every variable REGISTRY_… for a setting, Podman's REGISTRY_AUTH_FILE too.
        clean = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
        self.process = subprocess.Popen(words, env=clean, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not self._answers():
            assert time.monotonic() < deadline, "the registry did not start"
            time.sleep(0.1)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"http://{self.host}/v2/", timeout=2)
        except urllib.error.HTTPError as error:
            return error.code == 401
        except OSError:
            return False
        return True


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[GuardedRegistry]:
    require("registry")
    if shutil.which("docker-registry") is None:
        pytest.skip("docker-registry is not installed, so none that wants a login can be started")
    found = GuardedRegistry(tmp_path)
    found.start()
    yield found
    found.stop()


def test_the_login_is_the_engines_own_and_a_registry_that_comes_back_is_waited_for(
    engine: Engine,
    guarded: GuardedRegistry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker-login"))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "podman-login"))
    image = build(engine, tmp_path / "app", {"Dockerfile": "FROM scratch\nCOPY a /a\n", "a": "1"})
    with pytest.raises(ConfigurationError, match=f"login {guarded.host}"):
        push(engine, image, f"{guarded.host}/shop")
    engine.run("login", "--username=robot", "--password-stdin", guarded.host, stdin=b"hunter2")
    assert push(engine, image, f"{guarded.host}/shop").startswith(f"{guarded.host}/shop@sha256:")
    guarded.stop()
    said: list[str] = []

    def on_line(line: str) -> None:
        if "trying again" in line and not any("trying again" in one for one in said):
            guarded.start()
        said.append(line)

    assert push(engine, image, f"{guarded.host}/again", pause=2, on_line=on_line)
    assert any("trying again" in line for line in said)
    for name in ("shop", "again"):
        engine.remove_image(f"{guarded.host}/{name}:{image.reference.rpartition(':')[2]}")
