"""Whatever text edit is made to a base, a patch or a kustomization, nothing that arises in the rendering is closed
without evidence.

Judged by rendering the edited files once more, outside of the product, and looking at the fields themselves.
"""

import random
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from infraaudit_domain.lifecycles.readings import proves_lack, reading_of
from infraaudit_domain.scans.findings import Finding, Scan
from infraaudit_domain.scans.renderings import as_rendered, rendered_by
from resources.checkov import CheckovRunner
from tests.conftest import Repository
from tests.resources.checkov.test_edits import Edit, edit, unjust

OVERLAY = Path(__file__).parent / "manifests" / "overlay"
EDITED = ("base/web.yaml", "base/kustomization.yaml", "prod/kustomization.yaml", "prod/patch.yaml")
PROGRAM = ["kustomize", "build"] if shutil.which("kustomize") else ["kubectl", "kustomize"]
Facts = Mapping[str, Callable[[Mapping[str, Any]], bool]]
FACTS: Facts = {
    "CKV_K8S_16": lambda pod: any(_security(one).get("privileged") is True for one in _containers(pod)),
    "CKV_K8S_17": lambda pod: pod.get("hostPID") is True,
    "CKV_K8S_19": lambda pod: pod.get("hostNetwork") is True,
    "CKV_K8S_25": lambda pod: any((_security(one).get("capabilities") or {}).get("add") for one in _containers(pod)),
}
"""What is wrong with a pod that fails a check."""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which(PROGRAM[0]), reason="neither kustomize nor kubectl is installed"),
]


def _containers(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in pod.get("containers") or [] if isinstance(one, dict)]


def _security(container: Mapping[str, Any]) -> Mapping[str, Any]:
    return container.get("securityContext") or {}


def wrong_with(folder: Path) -> set[tuple[str, str]] | None:
    """Checks and names of workloads that fail them as the overlay makes them; None where it makes nothing."""
    done = subprocess.run([*PROGRAM, folder], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    if done.returncode != 0:
        return None
    objects = [one for one in yaml.load_all(done.stdout, yaml.CSafeLoader) if isinstance(one, dict)]
    pods = {
        one["metadata"]["name"]: one["spec"]["template"]["spec"]
        for one in objects
        if one.get("kind") == "Deployment" and (one.get("spec") or {}).get("template", {}).get("spec")
    }
    return {(check, name) for check, is_wrong in FACTS.items() for name, pod in pods.items() if is_wrong(pod)}


def stood(scan: Scan, path: str) -> Iterator[Finding]:
    (part,) = [one for one in scan.frameworks if one.framework == "kubernetes"]
    return (finding for finding in part.findings if finding.file_path == path)


def judge(reader: CheckovRunner, repository: Repository, count: int, seed: int) -> None:
    originals = {str(p.relative_to(OVERLAY)): p.read_text() for p in sorted(OVERLAY.rglob("*.yaml"))}
    files: dict[str, str | None] = {f"base/{path}": text for path, text in originals.items()}
    edits: dict[tuple[str, int], Edit] = {}
    for path in EDITED:
        chance = random.Random(f"{path} {seed}")
        for number in range(count):
            edits[path, number] = done = edit(originals[path], chance, "#")
            edited = {**originals, path: done.text}
            files |= {f"{folder(path, number)}{name}": text for name, text in edited.items()}
    sha = repository.write(files, "edits")
    scan = reader.scan(repository.mirror(), sha, "none.yaml")
    arisen = [f for f in stood(scan, "base/base/web.yaml") if rendered_by(f.resource) and f.check_id in FACTS]
    assert {f.check_id for f in arisen} == FACTS.keys()
    wrong = [words for key in edits for words in unjustly_closed(scan, arisen, repository.path, *key)]
    part = next(one for one in scan.frameworks if one.framework == "kubernetes")
    for (path, number), done in edits.items():
        plain = [f for f in stood(scan, f"base/{path}") if not rendered_by(f.resource)]
        place = folder(path, number)
        wrong += unjust(plain, part, f"{place}{path}", place, done, originals[path])
    assert not wrong, "\n".join(wrong)


def folder(path: str, number: int) -> str:
    return f"{path.replace('/', '-').removesuffix('.yaml')}-{number}/"


def unjustly_closed(scan: Scan, arisen: list[Finding], checkout: Path, path: str, number: int) -> Iterator[str]:
    """What is said to be gone from an edited overlay, and is there."""
    reading = reading_of(scan)
    assert reading is not None
    place = folder(path, number)
    there = wrong_with(checkout / place / "prod")
    for finding in arisen:
        plain = finding.resource.partition(" ")[0]
        resource = as_rendered(plain, f"{place}prod/kustomization.yaml")
        moved = Finding("kubernetes", finding.check_id, "", f"{place}base/web.yaml", resource, 1, 1)
        name = plain.rpartition(".")[2]
        is_there = there is None or any(check == finding.check_id and word.endswith(name) for check, word in there)
        if is_there and proves_lack(reading, moved):
            yield f"{finding.check_id} on {plain} in {place} ({'not built' if there is None else 'still there'})"


@pytest.mark.timeout(900)
def test_no_edit_closes_what_arises_in_an_overlay(reader: CheckovRunner, repository: Repository) -> None:
    judge(reader, repository, 5, 1)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2, 10))
def test_no_edit_does_with_more_seeds(reader: CheckovRunner, repository: Repository, seed: int) -> None:
    judge(reader, repository, 40, seed)
