"""What is ours in the container engine is known from the engine's JSON and our names, never from a label or split text."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infraaudit_domain.delivery.deployments import Release
from infraaudit_domain.errors import ManifestError
from infraaudit_domain.kubernetes.pod_spec import PodPlan, Volume, VolumeKind
from resources.engine import Engine
from resources.engine.leftovers import OWNER_LABEL, owner_label, sweep
from resources.targets.container.pod import Pod, pod_labels
from tests.resources.engines import BASE

pytestmark = pytest.mark.e2e
NAME = f"canary-{uuid.uuid4().hex[:8]}"


def docker(engine: Engine, *words: str, check: bool = True) -> str:
    done = subprocess.run([engine.program, *words], capture_output=True, text=True, timeout=120)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def image_with(engine: Engine, labels: dict[str, str]) -> Iterator[str]:
    """An image whose labels a commit wrote."""
    container = docker(engine, "create", BASE, "true")
    changes = [word for key, value in labels.items() for word in ("--change", f"LABEL {key}={json.dumps(value)}")]
    image = docker(engine, "commit", *changes, container)
    docker(engine, "rm", container)
    try:
        yield image
    finally:
        docker(engine, "rmi", "--force", image, check=False)


def gone() -> str:
    """The label of a process of this machine that has ended."""
    machine, _, _ = owner_label()[OWNER_LABEL].partition(".")
    return f"{machine}.4194000.1"


OTHERS: dict[str, dict[str, str]] = {
    "an owner that is gone": {OWNER_LABEL: ""},
    "an owner and our kind": {OWNER_LABEL: "", "infraaudit.kind": "tests"},
    "two lines in a label": {OWNER_LABEL: f"x\n{NAME}\t"},
    "tabs in a label": {OWNER_LABEL: f"x\t{NAME}\t"},
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_container_of_somebody_else_is_never_swept(name: str, engine: Engine) -> None:
    labels = {key: value + gone() if key == OWNER_LABEL else value for key, value in OTHERS[name].items()}
    with image_with(engine, labels) as image:
        docker(engine, "create", "--name", NAME, image, "true")
        try:
            assert NAME not in sweep(engine)
            assert engine.inspect("container", NAME) is not None
        finally:
            docker(engine, "rm", "--force", NAME)


def test_what_is_live_is_not_swept_for_a_label_of_its_base_image(engine: Engine) -> None:
    name = f"infraaudit-shop-production-{NAME}"
    with image_with(engine, {OWNER_LABEL: gone()}) as image:
        words = [
            word for key, value in pod_labels("shop", "production").items() for word in ("--label", f"{key}={value}")
        ]
        docker(engine, "create", "--name", name, *words, image, "true")
        try:
            assert name not in sweep(engine) and engine.inspect("container", name) is not None
        finally:
            docker(engine, "rm", "--force", name)


def test_what_a_killed_process_left_is_swept_still(engine: Engine) -> None:
    name = f"infraaudit-tests-{uuid.uuid4().hex[:16]}"
    words = ("--label", f"{OWNER_LABEL}={gone()}", "--label", "infraaudit.kind=tests")
    docker(engine, "create", "--name", name, *words, BASE, "true")
    docker(engine, "volume", "create", *words, name)
    assert sweep(engine).count(name) == 2
    assert engine.inspect("container", name) is None and engine.inspect("volume", name) is None


def test_a_container_that_claims_to_be_a_release_is_none_of_it(engine: Engine) -> None:
    """Somebody runs a commit's image, whose labels say that it is the live release of another project."""
    with image_with(engine, pod_labels("bank", "production") | {"infraaudit.release": "x"}) as image:
        docker(engine, "create", "--name", NAME, image, "true")
        try:
            assert engine.containers(pod_labels("bank", "production")) == []
        finally:
            docker(engine, "rm", "--force", NAME)


def test_a_claim_of_another_project_is_not_mounted(engine: Engine) -> None:
    """`a` in `b-c` and `a-b` in `c` make one name of a volume."""
    volume = Volume("data", VolumeKind.CLAIM)
    theirs, ours = (
        Pod(engine, PodPlan("Deployment/x", ()), Release(project, environment, "0" * 40, BASE, ""), "0" * 16)
        for project, environment in ((f"{NAME}-a", "b-c"), (f"{NAME}-a-b", "c"))
    )
    name = theirs._volume_name(volume)
    try:
        theirs._make_volume(volume, BASE)
        assert ours._volume_name(volume) == name
        with pytest.raises(ManifestError, match="is not of"):
            ours._make_volume(volume, BASE)
        theirs._make_volume(volume, BASE)
    finally:
        docker(engine, "volume", "rm", "--force", name, check=False)
