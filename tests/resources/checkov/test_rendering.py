"""Kustomizations through the real programs and the real Checkov: what arises in them, and what they hide."""

import shutil
import tempfile
from pathlib import Path

import pytest

from infraaudit_domain.lifecycles.readings import proves_lack, reading_of
from infraaudit_domain.scans.evidence import RULES
from infraaudit_domain.scans.findings import ScanStatus
from infraaudit_domain.scans.renderings import rendered_by
from resources.checkov import CheckovRunner
from resources.checkov.limits import RenderLimits
from resources.checkov.rendering.kept import Kept
from resources.checkov.rendering.plan import Plan, Plans
from resources.checkov.rendering.renderer import Renderer
from resources.checkov.rendering.results import Renderings
from tests.conftest import Repository
from tests.resources.checkov.renderings import (
    BASE,
    FILES,
    NAME,
    PATCH,
    PRIVILEGED,
    PROD,
    WEB,
    found,
    gaps,
    kubernetes,
    needs_kustomize,
    scan,
)

pytestmark = pytest.mark.slow


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
