"""What a Dockerfile may try: the host's secrets, files and resources, and other projects' images and caches."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from resources.engine import Engine
from tests.hostile.boxes import BoxedProject, boxed, refused
from tests.resources.engines import BASE

pytestmark = pytest.mark.e2e
CANARY = "canary-8f31c5"


def test_an_ordinary_build_arrives_in_the_hosts_engine_with_our_labels(boxed: BoxedProject) -> None:
    image = boxed.build("LABEL infraaudit.project=other infraaudit.owner=me kept=yes\nCOPY a /a\nRUN cat /a", a="1")
    facts = boxed.engine.find_image(image.reference)
    assert facts is not None and facts.image_id == image.image_id
    assert (facts.labels["infraaudit.project"], facts.labels["kept"]) == (boxed.name, "yes")
    assert "infraaudit.owner" not in facts.labels
    done = boxed.engine.run("run", "--rm", "--network=none", image.image_id, "cat", "/a")
    assert done.text == "1"


def test_neither_the_environment_nor_the_files_of_the_host_are_in_a_box(
    boxed: BoxedProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", CANARY)
    (tmp_path / "file").write_text(CANARY)
    boxed.build(
        "RUN env; cat /proc/*/environ | tr '\\\\0' '\\\\n'; cat /proc/self/uid_map /proc/self/mountinfo; "
        f"cat {tmp_path}/file /etc/shadow; ls -la /; id"
    )
    log = "\n".join(boxed.log)
    assert CANARY not in log
    assert "uid=0(root)" in log
    assert " 4294967295" not in log, "a map of all ids is the host's own user namespace"


def test_a_mount_of_the_host_is_no_part_of_the_language(boxed: BoxedProject, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(CANARY)
    words = refused(boxed, f"RUN --mount=type=bind,source={tmp_path},target=/host cat /host/file")
    assert "does not build" in words and CANARY not in words
    assert "does not build" in refused(boxed, "RUN --security=insecure mount -t proc proc /mnt")
    for link in ("/etc/passwd", str(tmp_path / "file")):
        boxed.folder.mkdir(exist_ok=True)
        assert "does not build" in refused(boxed, f"COPY {link} /stolen")


def test_another_projects_image_is_not_there(boxed: BoxedProject, engine: Engine) -> None:
    other = f"infraaudit/{boxed.name}-other:1"
    engine.tag(BASE, other)
    try:
        words = refused(boxed, f"COPY --from={other} /etc/passwd /stolen")
    finally:
        engine.remove_image(other)
    assert "An image it starts from cannot be pulled here" in words and "base_images" in words


def test_another_projects_cache_is_not_there(boxed: BoxedProject, tmp_path: Path) -> None:
    mount = "--mount=type=cache,id=shared,target=/cache"
    boxed.build(f"RUN {mount} echo {CANARY} > /cache/poison")
    boxed.build(f"RUN {mount} grep {CANARY} /cache/poison")
    other = BoxedProject(boxed.engine, tmp_path, f"{boxed.name}-b")
    try:
        other.build(f"RUN {mount} ls -A /cache; test ! -e /cache/poison")
    finally:
        other.close()


def test_a_fork_bomb_ends_at_the_limit(boxed: BoxedProject) -> None:
    before = len(os.listdir("/proc"))
    words = refused(boxed, "RUN for i in $(seq 1500); do sleep 60 & done; wait", 60)
    assert "It started more than 600 processes" in words
    assert len(os.listdir("/proc")) < before + 300
    boxed.build("RUN echo fine")


def test_memory_ends_at_the_limit(boxed: BoxedProject) -> None:
    words = refused(boxed, "RUN python3 -c 'x = bytearray(b\"1\") * (2 << 30); print(len(x))'")
    assert "It used more than 1024 MB of memory" in words
    boxed.build("RUN echo fine")


def test_the_disk_ends_at_the_limit(boxed: BoxedProject, tmp_path: Path) -> None:
    free = os.statvfs(tmp_path)
    words = refused(boxed, "RUN head -c 2G /dev/zero > /big")
    assert "a file of more than 256 MB" in words
    words = refused(boxed, "RUN for i in 1 2 3 4 5 6 7 8; do head -c 250M /dev/zero > /big$i || exit 1; done")
    assert "It wrote more than 1024 MB" in words
    after = os.statvfs(tmp_path)
    assert (free.f_bavail - after.f_bavail) * free.f_frsize < 1200 << 20
    boxed.build("RUN echo fine")


def test_an_endless_log_is_cut(boxed: BoxedProject) -> None:
    project = boxed.with_rules(limits=replace(boxed.rules.limits, log_lines=300))
    project.build("RUN seq 100000")
    assert len(project.log) < 400
    assert any("further lines of the log are not kept" in line for line in project.log)


def test_a_build_without_end_is_stopped(boxed: BoxedProject) -> None:
    started = time.monotonic()
    words = refused(boxed, "RUN sleep 1000", 5)
    assert "had no end after 5 s" in words and time.monotonic() - started < 30


def test_a_secret_is_handed_in_only_where_the_configuration_names_it(boxed: BoxedProject, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("given")
    mount = "--mount=type=secret,id=one,required=true"
    assert "does not build" in refused(boxed, f"RUN {mount} cat /run/secrets/one")
    project = boxed.with_rules(secrets={"one": str(tmp_path / "secret")})
    project.build(f'RUN {mount} test "$(cat /run/secrets/one)" = given')


def test_a_box_dies_with_its_keeper_and_comes_back(boxed: BoxedProject) -> None:
    boxed.build("RUN echo before")
    keeper = int((boxed.folder / "box" / "keeper").read_text())
    os.kill(keeper, 9)
    end = time.monotonic() + 10
    while _in_box(boxed) and time.monotonic() < end:
        time.sleep(0.1)
    assert _in_box(boxed) == []
    boxed.build("RUN echo before")


@pytest.mark.parametrize("volume", ["/reports/junit.xml", "/reports/junit.xml/", "/proc/sys", "/", "/a b", "/a/../b"])
def test_a_volume_that_tests_cannot_run_with_is_a_refused_image(boxed: BoxedProject, volume: str) -> None:
    words = refused(boxed, f'VOLUME ["{volume}"]')
    assert "is refused: it declares" in words


def _in_box(project: BoxedProject) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            group = (process / "cgroup").read_text()
        except OSError:
            continue
        if project.box_group in group:
            found.append(process.name)
    return found


__all__ = ["boxed"]
