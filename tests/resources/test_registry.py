"""Pushing to a real registry, and to what is none."""

import json
import os
import urllib.request
from pathlib import Path

import pytest

from infraaudit_assets.domain.errors import ConfigurationError, EngineError
from resources.engine import Engine
from resources.registry import TRIES, push
from tests.conftest import require
from tests.resources.engines import build, engine  # noqa: F401

REPOSITORY = f"127.0.0.1:5000/engine-tests-{os.getpid()}/app"


def test_the_digest_is_the_registrys(engine: Engine, tmp_path: Path) -> None:  # noqa: F811
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


def test_a_registry_that_is_gone_is_tried_again_and_a_bad_name_is_not(engine: Engine, tmp_path: Path) -> None:  # noqa: F811
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
    from infraaudit_assets.domain.images import Image
    from resources.engine import Builder

    fake = Engine("docker", "1", str(program), Builder.LEGACY, str(program))
    with pytest.raises(ConfigurationError, match=r"login registry\.example"):
        push(fake, Image("infraaudit/a:1", "sha256:1", 1, 1, "x"), "registry.example/app")
    assert (tmp_path / "tries").read_text() == "x\n"
