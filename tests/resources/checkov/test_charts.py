"""Charts through the real Helm and the real Checkov, and what the worst of charts and kustomizations may use."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from infraaudit_domain.lifecycles.readings import proves_lack, reading_of
from infraaudit_domain.scans.findings import ScanStatus
from resources.checkov import CheckovRunner
from resources.checkov.limits import RenderLimits
from tests.conftest import Repository
from tests.resources.checkov.renderings import (
    CHART,
    PRIVILEGED,
    WEB,
    found,
    gaps,
    kubernetes,
    needs_helm,
    needs_kustomize,
    scan,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckovRunner]:
    limits = RenderLimits(files=50, output_bytes=20_000, units=12, kustomization_bytes=2_000, objects=40)
    with CheckovRunner(tmp_path_factory.mktemp("state") / "scans", {}, render_limits=limits) as runner:
        yield runner


@needs_kustomize
def test_hostile_kustomizations_are_bounded_gaps_in_words(limited: CheckovRunner, repository: Repository) -> None:
    many = "".join(f"  - {n}.txt\n" for n in range(100))
    pods = "---\n".join(WEB.replace("name: web\nspec", f"name: web-{n}\nspec") for n in range(45))
    files: dict[str, str | None] = {f"a/{n}.txt": "x" for n in range(100)}
    files |= {
        "a/kustomization.yaml": f"configMapGenerator:\n- name: a\n  files:\n{many}",
        "b/kustomization.yaml": "resources: [../../../etc]\n",
        "c/kustomization.yaml": "resources: [../d]\n",
        "d/kustomization.yaml": "resources: [../c]\n",
        "e/kustomization.yaml": "resources: [passwd.yaml]\n",
        "f/kustomization.yaml": "resources: [web.yaml]\n#" + "x" * 3_000,
        "g/kustomization.yaml": "namePrefix: x-\nresources: [web.yaml]\n",
        "g/web.yaml": pods,
        "h/kustomization.yaml": "a: &a [x, x]\nb: &b [*a, *a]\n" + "".join(f"c{n}: &c{n} [*b, *b]\n" for n in range(9)),
        "i/kustomization.yaml": "secretGenerator: [{name: a, files: [big.bin]}]\n",
        "i/big.bin": "x" * 30_000,
        "j/kustomization.yaml": "patches: [{path: patch.yaml, target: {kind: '(a+)+$'}}]\nresources: [../g/web.yaml]\n",
        "k/kustomization.yaml": "bases: [../b]\n",
        "m/kustomization.yaml": "resources: []\n",
        "n/kustomization.yaml": "resources: []\n",
    }
    repository.write(files, "hostile")
    os.symlink("/etc/passwd", repository.path / "e/passwd.yaml")
    reported = {path: reason for path, reason in gaps(scan(limited, repository, {})).items() if path.endswith("n.yaml")}
    words = {
        "a": "more than 50 files", "b": "leads out of the commit", "c": "includes itself", "d": "includes itself",
        "e": "is a link", "f": "more than 2000", "g": "more than 40 objects", "h": "not allowed", "i": "more than 20000",
        "j": "not in the commit", "k": "leads out of the commit", "n": "more than 12 kustomizations",
    }  # fmt: skip
    assert {name for name, word in words.items() if word not in reported.get(f"{name}/kustomization.yaml", "")} == set()


@needs_helm
def test_a_chart_is_rendered_and_its_templates_are_read(reader: CheckovRunner, repository: Repository) -> None:
    first = scan(reader, repository, dict(CHART))
    assert gaps(first) == {} and kubernetes(first).status is ScanStatus.COMPLETE
    (privileged,) = found(first, PRIVILEGED)
    assert (privileged.file_path, privileged.resource) == ("web/templates/web.yaml", "Deployment.default.web")
    second = scan(reader, repository, {"web/values.yaml": "privileged: false\nextra: false\n"})
    reading = reading_of(second)
    assert reading is not None and proves_lack(reading, privileged)
    broken = scan(reader, repository, {"web/values.yaml": "privileged: [\n"})
    assert gaps(broken).keys() == {"web/templates/web.yaml", "web/templates/extra.yaml"}
    reading = reading_of(broken)
    assert reading is not None and not proves_lack(reading, privileged)


@needs_helm
@pytest.mark.parametrize(
    ("chart", "word"),
    [
        ("dependencies: [{name: db, version: 1.0.0, repository: 'https://example.org'}]\n", "db"),
        ("type: library\n", ""),
    ],
)
def test_a_chart_that_helm_cannot_render_says_why(
    reader: CheckovRunner, repository: Repository, chart: str, word: str
) -> None:
    scanned = scan(reader, repository, {**CHART, "web/Chart.yaml": CHART["web/Chart.yaml"] + chart})
    reported = gaps(scanned).values()
    assert all("Helm chart web, which is not rendered" in reason and word in reason for reason in reported)
    assert bool(reported) == bool(word)


@needs_helm
def test_a_hostile_chart_is_bounded_and_reads_nothing_of_the_machine(
    limited: CheckovRunner, repository: Repository, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("apiVersion: v1")
    schema = json.dumps({"$ref": f"file://{tmp_path}/secret", "properties": {"a": {"$ref": "http://127.0.0.1:1/a"}}})
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: %s}\n"
    templates = {
        "long": '{{ range until 9000 }}#{{ repeat 900 "x" }}\n{{ end }}' + config % "b",
        "large": config % '{{ $s := "x" }}{{ range until 40 }}{{ $s = print $s $s }}{{ end }}{{ len $s }}',
        "many": '{{ range until 60 }}---\n' + config % "b" + "{{ end }}",
        "files": config % '{{ print (.Files.Get "../../../../../../etc/passwd") (getHostByName "localhost") | quote }}',
    }  # fmt: skip
    files: dict[str, str | None] = {}
    for name, text in templates.items():
        files |= {f"{name}/templates/{name}.yaml": text, f"{name}/Chart.yaml": CHART["web/Chart.yaml"]}
        files |= {f"{name}/values.schema.json": schema}
    reported = gaps(scan(limited, repository, files))
    assert "more than 20000 bytes" in reported["long/templates/long.yaml"]
    assert "helm" in reported["large/templates/large.yaml"]
    assert "more than 40 objects" in reported["many/templates/many.yaml"]
    assert "files/templates/files.yaml" not in reported, "it was rendered, and found nothing"
