"""What is said where a machine gives no box, and how limits are written where it does."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from infraaudit_domain.delivery.builds import BuildLimits, BuildRules
from infraaudit_domain.errors import ConfigurationError, EngineUnavailableError
from resources.engine import Builder, Engine
from resources.engine.box import control_group
from resources.engine.box.building import BoxedBuild, build_boxed
from resources.engine.box.requirements import missing
from resources.engine.build_request import BuildRequest


def test_without_a_box_a_build_is_refused_with_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert any("slirp4netns (Debian's package slirp4netns)" in one for one in missing())
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    request = BuildRequest("shop", "0" * 40, "", datetime(2026, 1, 1, tzinfo=UTC), tmp_path, "Dockerfile", ".", {})
    engine = Engine("docker", "1", "docker", Builder.BUILDKIT, "docker")
    with pytest.raises(ConfigurationError, match=r"lacks .*slirp4netns.*build_isolation: none") as caught:
        build_boxed(
            BoxedBuild(tmp_path / "box", BuildRules()), engine, request, inputs_digest="", timeout=5, on_line=print
        )
    assert not caught.value.retryable


def test_the_limits_of_version_2_are_written_to_one_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    limits = BuildLimits(memory_megabytes=10, processes=7, cpus=1.5)
    group = control_group.open_group("box", limits, tmp_path)
    (folder,) = group.folders
    assert (folder / "memory.max").read_text() == str(10 << 20)
    assert (folder / "memory.swap.max").read_text() == "0"
    assert (folder / "pids.max").read_text() == "7"
    assert (folder / "cpu.max").read_text() == "150000 100000"
    (folder / "memory.events").write_text("low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\n")
    (folder / "pids.events").write_text("max 5\n")
    assert group.met() == {"memory": 2, "processes": 5}


def test_without_a_control_group_there_is_no_box(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("")
    (tmp_path / "box").write_text("in the way")
    with pytest.raises(EngineUnavailableError, match="a control group for limits"):
        control_group.open_group("box", BuildLimits(), tmp_path)
