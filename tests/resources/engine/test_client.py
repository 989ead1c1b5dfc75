"""Finding the engine, and building real images with it."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from infraaudit.images import build_or_reuse
from infraaudit_domain.delivery.images import Image
from infraaudit_domain.errors import BuildFailedError, EngineError, EngineUnavailableError
from infraaudit_domain.projects import Project
from resources.engine import Builder, Engine, detect_engine
from tests.conftest import Repository
from tests.resources.engines import BASE, PROJECT, build

DOCKERFILE = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY a.txt /a.txt\n"


def _fake(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_none_is_none_and_nothing_that_answers_says_what_was_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EngineUnavailableError, match="INFRAAUDIT_ENGINE is none"):
        detect_engine("none")
    monkeypatch.setattr("resources.engine.detection._ALSO_LOOK_IN", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailableError, match="docker: not installed; podman: not installed"):
        detect_engine()
    _fake(tmp_path, "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    with pytest.raises(EngineUnavailableError, match="Cannot connect"):
        detect_engine("docker")
    _fake(tmp_path, "docker", "while :; do :; done")
    with pytest.raises(EngineUnavailableError, match="did not finish within 0.5 s"):
        detect_engine("docker", timeout=0.5)


@pytest.mark.parametrize(
    ("client", "buildx", "builder"),
    [("28.2.2", True, "buildx"), ("28.2.2", False, "legacy"), ("20.10.24+dfsg1", False, "buildkit")],
)
def test_the_builder_is_what_the_programs_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: str, buildx: bool, builder: str
) -> None:
    answer = f'{{"Client":{{"Version":"{client}"}},"Server":{{"Version":"20.10.24"}}}}'
    plugin = "echo github.com/docker/buildx v0.1" if buildx else "exit 1"
    _fake(tmp_path / "one", "docker", f"if [ $1 = buildx ]; then {plugin}; else echo '{answer}'; fi")
    monkeypatch.setattr("resources.engine.detection._ALSO_LOOK_IN", ())
    monkeypatch.setenv("PATH", f"{tmp_path / 'one'}:/usr/bin:/bin".replace(":/usr/bin:/bin", ""))
    assert detect_engine("docker").builder == builder


def test_another_program_builds_where_the_first_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, client in (("one", "28.2.2"), ("two", "20.10.24")):
        answer = f'{{"Client":{{"Version":"{client}"}},"Server":{{"Version":"24.0.1"}}}}'
        _fake(tmp_path / folder, "docker", f"[ $1 = buildx ] && exit 1; echo '{answer}'")
    monkeypatch.setattr("resources.engine.detection._ALSO_LOOK_IN", ())
    monkeypatch.setenv("PATH", f"{tmp_path / 'one'}:{tmp_path / 'two'}")
    found = detect_engine()
    assert (found.program, found.version) == (str(tmp_path / "one" / "docker"), "24.0.1")
    assert (found.builder, found.build_program) == (Builder.BUILDKIT, str(tmp_path / "two" / "docker"))


def test_a_build_is_labelled_tagged_and_streams_its_log(engine: Engine, tmp_path: Path) -> None:
    image = build(engine, tmp_path, {"Dockerfile": DOCKERFILE, "a.txt": "1"})
    facts = engine.find_image(image.reference)
    assert facts is not None and facts.image_id == image.image_id and facts.size_bytes == image.size_bytes > 0
    assert facts.labels["org.opencontainers.image.source"] == "https://example.org/app.git"
    assert facts.labels["org.opencontainers.image.created"] == "2026-01-02T00:00:00+00:00"
    assert facts.labels["org.opencontainers.image.revision"].startswith(image.reference.rpartition(":")[2])
    assert image.reference.startswith(f"infraaudit/{PROJECT}:")


def test_buildkit_mounts_work_and_an_unreachable_frontend_does_not_stop_a_build(
    engine: Engine,
    tmp_path: Path,
) -> None:
    if engine.builder is Builder.LEGACY:
        pytest.skip("this machine has no BuildKit")
    text = (
        "# syntax=docker/dockerfile:1\n" + DOCKERFILE + "RUN --mount=type=tmpfs,target=/x cp /a.txt /x/ && cat /x/a.txt"
    )
    image = build(engine, tmp_path, {"Dockerfile": text, "a.txt": "1"})
    assert engine.find_image(image.image_id) is not None


def test_the_legacy_builder_builds_too(engine: Engine, tmp_path: Path) -> None:
    if engine.name != "docker":
        pytest.skip("only Docker has the legacy builder")
    legacy = replace(engine, builder=Builder.LEGACY, build_program=engine.program)
    image = build(legacy, tmp_path, {"Dockerfile": DOCKERFILE, "a.txt": "1"})
    assert engine.find_image(image.image_id) is not None
    with pytest.raises(BuildFailedError, match="does not build"):
        build(legacy, tmp_path, {"Dockerfile": f"{DOCKERFILE}RUN exit 3\n"})


@pytest.mark.parametrize(
    ("dockerfile", "words"),
    [
        ("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN echo it is $((40+2)) && exit 3\n", "it is 42"),
        ("FRO scratch\n", "(?i)unknown instruction|no FROM statement"),
        ("", "does not build"),
        ("FROM scratch\nCOPY ../../etc/passwd /\n", "does not build"),
        ("FROM scratch\nCOPY nothing /\n", "(?i)not found|no such file"),
        ("FROM example.invalid/nothing:1\n", "INFRAAUDIT_BASE_IMAGE"),
    ],
)
def test_a_broken_dockerfile_fails_with_the_end_of_its_log(
    engine: Engine,
    tmp_path: Path,
    dockerfile: str,
    words: str,
) -> None:
    with pytest.raises(BuildFailedError, match=words) as caught:
        build(engine, tmp_path, {"Dockerfile": dockerfile})
    assert "\x1b" not in str(caught.value)


def test_nothing_outside_the_checkout_is_built_from(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("FROM scratch\n")
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "link").symlink_to(tmp_path / "secret")
    for dockerfile in ("../secret", "link", "/etc/passwd"):
        with pytest.raises(BuildFailedError, match="leads out of the repository"):
            build(engine, checkout, {}, dockerfile=dockerfile)
    with pytest.raises(BuildFailedError, match="leads out"):
        build(engine, checkout, {"Dockerfile": DOCKERFILE}, context="..")
    with pytest.raises(BuildFailedError, match="no usable missing"):
        build(engine, checkout, {}, dockerfile="missing")
    # A link in the context is copied as a link: its target on the host does not get into the image.
    with pytest.raises(BuildFailedError):
        build(engine, checkout, {"Dockerfile": "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY link /x\nRUN cat /x\n"})


def test_a_build_without_end_is_stopped_with_its_children(engine: Engine, tmp_path: Path) -> None:
    if engine.name == "podman":
        pytest.skip("a RUN that sleeps outlives Podman's build, as resources/engine/builder.py says")
    dockerfile = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN echo started; sleep 98.7\n"
    with pytest.raises(BuildFailedError, match="no end after 4 s"):
        build(engine, tmp_path, {"Dockerfile": dockerfile}, seconds=4)
    for _ in range(50):
        if subprocess.run(["pgrep", "-f", "sleep 98[.]7"], capture_output=True).returncode != 0:
            return
        subprocess.run(["sleep", "0.1"])
    pytest.fail("the build continues in the engine")


def test_an_engine_that_is_dead_is_not_the_commits_fault(
    engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if engine.name == "podman":
        pytest.skip("Podman has no engine that could die")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(EngineError, match="died during the build"):
        build(engine, tmp_path, {"Dockerfile": DOCKERFILE, "a.txt": "1"})


def test_equal_inputs_are_built_once(engine: Engine, repository: Repository, tmp_path: Path) -> None:
    files = {"docker/Dockerfile": DOCKERFILE, "a.txt": "1", ".dockerignore": "*.md\n"}
    project = Project(PROJECT, str(repository.path))
    first = repository.write({**files, "README.md": "one"}, "first")
    same = repository.write({"README.md": "two"}, "only what is not sent")
    other = repository.write({"a.txt": "2"}, "what is sent")
    mirror = repository.mirror()
    built: dict[str, tuple[str, Image]] = {}

    def image_of(sha: str) -> Image:
        image = build_or_reuse(
            engine,
            mirror,
            project,
            project.first_image,
            sha,
            scratch=tmp_path / "scratch",
            build_args={"BASE_IMAGE": BASE},
            find_image=built.get,
            timeout=120,
            on_line=lambda line: None,
        )
        if image.reused_from is None:
            built[image.inputs_digest] = (sha, image)
        return image

    images = [image_of(sha) for sha in (first, same, other)]
    assert [image.reused_from for image in images] == [None, first, None]
    assert images[0].image_id == images[1].image_id != images[2].image_id
    facts = engine.find_image(f"infraaudit/{PROJECT}:{same[:12]}")
    assert facts is not None and facts.image_id == images[0].image_id
    assert image_of(first) == images[0]
    engine.run("rmi", "--force", images[0].image_id)
    assert image_of(same).reused_from is None, "an image that was removed is built again"
    without = repository.write({"docker/Dockerfile": None}, "no Dockerfile")
    mirror.fetch()
    with pytest.raises(BuildFailedError, match="has no docker/Dockerfile: add one"):
        image_of(without)
