"""Kustomizations and charts through the real programs and the real Checkov: what arises in them, and what they hide."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infraaudit_domain.lifecycles.readings import proves_lack, reading_of
from infraaudit_domain.scans.evidence import RULES
from infraaudit_domain.scans.findings import Finding, FrameworkScan, Scan, ScanStatus
from infraaudit_domain.scans.renderings import rendered_by
from resources.checkov import CheckovRunner
from resources.checkov.limits import RenderLimits
from resources.checkov.rendering.kept import Kept
from resources.checkov.rendering.plan import Plan, Plans
from resources.checkov.rendering.renderer import Renderer
from resources.checkov.rendering.results import Renderings
from tests.conftest import Repository

pytestmark = pytest.mark.slow

CONFIG = "none.yaml"
WEB = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          securityContext:
            privileged: false
"""
PATCH = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
        - name: web
          securityContext:
            privileged: true
"""
BASE, PROD = "base/kustomization.yaml", "prod/kustomization.yaml"
FILES: dict[str, str | None] = {
    "base/web.yaml": "# a comment\n" + WEB,
    BASE: "resources: [web.yaml]\n",
    PROD: "resources: [../base]\nnamePrefix: prod-\npatches: [{path: patch.yaml}]\n",
    "prod/patch.yaml": PATCH,
}
PRIVILEGED = "CKV_K8S_16"
NAME = f"Deployment.default.web (rendered by {PROD})"

needs_kustomize = pytest.mark.skipif(
    not (shutil.which("kustomize") or shutil.which("kubectl")), reason="neither kustomize nor kubectl is installed"
)
needs_helm = pytest.mark.skipif(not shutil.which("helm"), reason="helm is not installed")


def scan(runner: CheckovRunner, repository: Repository, files: dict[str, str | None]) -> Scan:
    sha = repository.write(files, "files")
    return runner.scan(repository.mirror(), sha, CONFIG)


def kubernetes(scanned: Scan) -> FrameworkScan:
    return next(one for one in scanned.frameworks if one.framework == "kubernetes")


def gaps(scanned: Scan) -> dict[str, str]:
    return {gap.path: gap.reason for gap in kubernetes(scanned).unreadable}


def found(scanned: Scan, check: str) -> list[Finding]:
    return [finding for finding in kubernetes(scanned).findings if finding.check_id == check]


@needs_kustomize
def test_what_a_patch_brings_is_found_at_its_source_file_and_closed_when_it_goes(
    reader: CheckovRunner, repository: Repository
) -> None:
    first = scan(reader, repository, FILES)
    (privileged,) = [f for f in found(first, PRIVILEGED) if f.file_path == "base/web.yaml"]
    assert (privileged.resource, privileged.line_start, privileged.line_end) == (NAME, 2, 15)
    assert kubernetes(first).status is ScanStatus.COMPLETE and first.rules == RULES
    later = scan(reader, repository, {"prod/patch.yaml": PATCH.replace("true", "false")})
    reading = reading_of(later)
    assert reading is not None and proves_lack(reading, privileged)


@needs_kustomize
def test_what_the_plain_file_has_too_is_counted_once_and_keeps_its_identity(
    reader: CheckovRunner, repository: Repository
) -> None:
    alone = scan(reader, repository, {"base/web.yaml": FILES["base/web.yaml"]})
    both = scan(reader, repository, FILES)
    before = {f.fingerprint for f in kubernetes(alone).findings}
    assert before <= {f.fingerprint for f in kubernetes(both).findings}
    arisen = {f.check_id for f in kubernetes(both).findings if rendered_by(f.resource)}
    assert PRIVILEGED in arisen and not arisen & {f.check_id for f in kubernetes(alone).findings}
    # What a kustomization has that another one includes is reported once, where it arises.
    further = {"eu/kustomization.yaml": "resources: [../prod]\nnamespace: eu\n"}
    more = scan(reader, repository, further)
    assert {f.fingerprint for f in found(more, PRIVILEGED)} == {f.fingerprint for f in found(both, PRIVILEGED)}


@needs_kustomize
@pytest.mark.parametrize(
    "broken",
    [
        {"prod/patch.yaml": PATCH.replace("name: web\nspec", "name: wep\nspec")},
        {"prod/patch.yaml": None},
        {PROD: "resources: [../base]\npatches: [{path: patch.yaml}\n"},
        {PROD: "resources: [../base, https://example.org/a.yaml]\npatches: [{path: patch.yaml}]\n"},
        {PROD: "resources: [../base]\nhelmCharts: [{name: a}]\n"},
        {BASE: "resources: [gone.yaml]\n"},
    ],
)
def test_what_cannot_be_rendered_is_one_gap_and_closes_nothing(
    reader: CheckovRunner, repository: Repository, broken: dict[str, str | None]
) -> None:
    (privileged,) = [f for f in found(scan(reader, repository, FILES), PRIVILEGED) if rendered_by(f.resource)]
    later = scan(reader, repository, broken)
    assert gaps(later)[PROD].startswith("it is not rendered: ") and "/sources" not in gaps(later)[PROD]
    reading = reading_of(later)
    assert reading is not None and not proves_lack(reading, privileged)
    assert "base/web.yaml" not in gaps(later), "the plain files were read all the same"


@needs_kustomize
def test_a_patch_is_read_by_its_rendering_and_what_stood_in_it_is_not_closed(
    reader: CheckovRunner, repository: Repository
) -> None:
    first = scan(reader, repository, FILES)
    stood = next(f for f in kubernetes(first).findings if f.file_path == "prod/patch.yaml")
    later = scan(reader, repository, {"prod/patch.yaml": "# {{ .Values.image }}\n" + PATCH})
    assert gaps(later) == {} and kubernetes(later).status is ScanStatus.COMPLETE
    reading = reading_of(later)
    assert reading is not None and not proves_lack(reading, stood)
    unused = scan(reader, repository, {PROD: "resources: [../base]\n"})
    assert [*gaps(unused)] == ["prod/patch.yaml"]


@needs_kustomize
def test_a_generated_object_is_found_at_its_kustomization_under_a_name_that_stays(
    reader: CheckovRunner, repository: Repository
) -> None:
    own = "configMapGenerator: [{name: settings, files: [app.properties]}]\n"
    first = scan(reader, repository, {"a/kustomization.yaml": own, "a/app.properties": "x=1\n"})
    names = {(f.file_path, f.resource, f.line_start) for f in kubernetes(first).findings}
    assert names == {("a/kustomization.yaml", "ConfigMap.default.settings (rendered by a/kustomization.yaml)", 1)}
    second = scan(reader, repository, {"a/app.properties": "x=2\n"})
    assert kubernetes(second).scan_key != kubernetes(first).scan_key, "a generator's file is read as well"
    assert {f.fingerprint for f in kubernetes(second).findings} == {f.fingerprint for f in kubernetes(first).findings}


def test_without_a_program_what_only_collects_files_is_rendered_and_the_rest_is_a_gap(
    reader: CheckovRunner, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", only_git(repository.path.parent / "bin"))
    first = scan(reader, repository, FILES)
    assert gaps(first) == {PROD: "it is not rendered: neither kustomize nor kubectl is installed"}
    policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: all}\nspec: {podSelector: {}}\n"
    second = scan(reader, repository, {"elsewhere/policy.yaml": policy})
    lacking = [(f.file_path, rendered_by(f.resource)) for f in found(second, "CKV2_K8S_6")]
    assert lacking.count(("base/web.yaml", BASE)) == 1, "the policy is no part of what is deployed"


def only_git(folder: Path) -> str:
    folder.mkdir()
    for name in ("git", "setpriv"):
        (folder / name).symlink_to(shutil.which(name) or name)
    return str(folder)


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


@needs_kustomize
def test_a_rendering_is_used_again_by_the_next_process_where_it_reads_the_same(
    reader: CheckovRunner, repository: Repository, tmp_path: Path
) -> None:
    folder = tmp_path / "renderings"

    def rendered(files: dict[str, str | None]) -> tuple[Renderings, set[str]]:
        before = {path.name for path in folder.glob("*")}
        sha, mirror = repository.write(files, "files"), repository.mirror()
        work = Path(tempfile.mkdtemp(dir=tmp_path))
        plan = Plans(RenderLimits()).of(mirror.tree(sha), mirror, work)
        renderer = Renderer(reader.parent, RenderLimits(), b"", Kept(folder))  # as another process has it
        found = renderer.rendered(plan, "Checkov 3", mirror, work)
        return found, {path.name for path in folder.glob("*")} - before

    first, made = rendered(FILES)
    again, made_anew = rendered({"other.yaml": WEB})
    assert (len(made), made_anew, again) == (2, set(), first)
    assert {f.check_id for f in first.results[PROD].findings} >= {PRIVILEGED}
    _, changed = rendered({"prod/patch.yaml": PATCH.replace("true", "false")})
    assert len(changed) == 1
    for path in folder.iterdir():
        path.write_bytes(b"half")
    assert rendered({"prod/patch.yaml": PATCH})[0] == first


def test_a_tree_without_kustomizations_and_charts_is_not_touched(repository: Repository, tmp_path: Path) -> None:
    sha = repository.write({"a.yaml": WEB, "docs/kustomization.md": "a"}, "plain")
    mirror = repository.mirror()
    assert Plans(RenderLimits()).of(mirror.tree(sha), mirror, tmp_path / "is-not-there") == Plan()


CHART = {
    "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "web/values.yaml": "privileged: true\nextra: false\n",
    "web/templates/web.yaml": WEB.replace("privileged: false", "privileged: {{ .Values.privileged }}"),
    "web/templates/extra.yaml": "{{- if .Values.extra }}\n" + WEB.replace(": web\n", ": {{ .Values.name }}\n") + "{{- end }}\n",
}  # fmt: skip


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
