"""A commit's manifests from its checkout: plain files, folders and real kustomize, with the policy of gate.yaml."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from infraaudit_domain.errors import ConfigurationError, ManifestError
from infraaudit_domain.kubernetes.manifest_policy import ManifestPolicy
from infraaudit_domain.projects import Environment, Paths, Project
from resources.configuration.gate import read_manifest_policy
from resources.manifests.files import parse_manifests, read_manifests, render_release
from tests.conftest import require

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: replaced}]}
"""


def write(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def render(folder: Path, policy: ManifestPolicy | None = None, **environment: object) -> list[dict]:
    target = Environment(**environment)
    project = Project("p", "/x", paths=Paths(manifests=("k8s",)), environments=(target,))
    return parse_manifests(render_release(folder, project, target, "a" * 40, "i:1", policy or ManifestPolicy()))


OVERLAY = {
    "k8s/base/deployment.yaml": DEPLOYMENT,
    "k8s/base/kustomization.yaml": "resources: [deployment.yaml]",
    "k8s/production/kustomization.yaml": "resources: [../base]\npatchesStrategicMerge: [more.yaml]\n"
    "configMapGenerator: [{name: settings, literals: [a=b]}]\ngeneratorOptions: {disableNameSuffixHash: true}",
    "k8s/production/more.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 3}",
}


def test_an_overlay_of_an_environment_is_built(tmp_path: Path) -> None:
    require("kustomize")
    config, deployment = render(write(tmp_path, OVERLAY), manifests=("k8s/production",), namespace="shop")
    assert (config["kind"], config["data"]) == ("ConfigMap", {"a": "b"})
    assert deployment["spec"]["replicas"] == 3
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "i:1"
    assert deployment["metadata"]["namespace"] == "shop"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"k8s/production/kustomization.yaml": "resources: [../../../outside]"}, "not in the commit"),
        ({"k8s/production/kustomization.yaml": "resources: [missing.yaml]"}, "missing.yaml, which is not in the commit"),
        ({"k8s/base/kustomization.yaml": "resources: [deployment.yaml]\nhelmCharts: [{name: x}]"}, "uses helmCharts"),
        ({"k8s/base/kustomization.yaml": "resources: [../production]"}, "does not build"),
        ({"k8s/base/kustomization.yaml": "a: &a [x]\nresources: *a"}, "aliases are not allowed"),
        ({"k8s/base/deployment.yaml": "a: &a [x]\nb: *a"}, "aliases are not allowed"),
        ({"k8s/base/deployment.yaml": "not: [closed"}, "no YAML"),
        ({"k8s/production/kustomization.yaml": "resources: [../base]\nnamespace: other"}, "names the namespace other"),
        ({"k8s/production/kustomization.yaml":
          "resources: [../base]\nconfigMapGenerator: [{name: x, files: [../../secret]}]", "secret": "x"},
         "does not build"),
    ],
)  # fmt: skip
def test_an_overlay_that_reaches_out_is_refused(tmp_path: Path, files: dict[str, str], reason: str) -> None:
    require("kustomize")
    write(tmp_path, {"outside/kustomization.yaml": "resources: []"})
    checkout = write(tmp_path / "checkout", OVERLAY | files)
    with pytest.raises(ManifestError, match=reason):
        render(checkout, manifests=("k8s/production",))


def test_a_link_in_an_overlay_leads_nowhere(tmp_path: Path) -> None:
    require("kustomize")
    secret = tmp_path / "host-secret"
    secret.write_text("password=x")
    overlay = "resources: [../base]\nconfigMapGenerator: [{name: x, files: [link]}]"
    checkout = write(tmp_path / "checkout", OVERLAY | {"k8s/production/kustomization.yaml": overlay})
    (checkout / "k8s/production/link").symlink_to(secret)
    with pytest.raises(ManifestError, match="link, which is not in the commit"):
        render(checkout, manifests=("k8s/production",))


def test_a_plain_folder_and_a_file_of_many_objects(tmp_path: Path) -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}"
    write(tmp_path, {"k8s/a.yaml": f"{DEPLOYMENT}\n---\n{service}", "k8s/deep/b.yml": service.replace("web", "b")})
    assert [found["metadata"]["name"] for found in render(tmp_path)] == ["web", "b", "web"]


def test_ten_thousand_objects_are_refused_before_they_are_parsed(tmp_path: Path) -> None:
    write(tmp_path, {"k8s/a.yaml": "---\n".join(["kind: ConfigMap\n"] * 10_000)})
    with pytest.raises(ManifestError, match="9999 objects are more than the 500"):
        read_manifests(tmp_path, "k8s")
    write(tmp_path / "many", {f"k8s/{n}.yaml": DEPLOYMENT for n in range(501)})
    with pytest.raises(ManifestError, match="501 objects are more than the 500"):
        render(tmp_path / "many")


GATE = "open: {}\nnew: {}\n"


def test_the_policy_is_the_pipelines_and_can_be_widened(tmp_path: Path) -> None:
    checkout = write(tmp_path, {"k8s/a.yaml": DEPLOYMENT.replace("{containers", "{hostNetwork: true, containers")})
    gate = tmp_path / "gate.yaml"
    gate.write_text(GATE)
    with pytest.raises(ManifestError, match="hostNetwork is not allowed"):
        render(checkout, read_manifest_policy(gate))
    gate.write_text(GATE + "manifests: {allow: [hostNetwork]}")
    assert len(render(checkout, read_manifest_policy(gate))) == 1
    gate.write_text(GATE + "manifests: {kinds: [Service], allow: [hostNetwork]}")
    with pytest.raises(ManifestError, match="kind Deployment of apps/v1 is not among"):
        render(checkout, read_manifest_policy(gate))


def test_a_kind_of_ones_own_and_the_own_namespace_may_be_allowed(tmp_path: Path) -> None:
    more = "apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: w}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}"
    checkout = write(tmp_path, {"k8s/a.yaml": f"{DEPLOYMENT}\n---\n{more}"})
    policy = ManifestPolicy()
    wider = dataclasses.replace(policy, kinds=policy.kinds | {"example.org/Widget", "Namespace"})
    found = render(checkout, wider, namespace="shop")
    assert [document["kind"] for document in found] == ["Namespace", "Deployment", "Widget"]
    assert "namespace" not in found[0]["metadata"]
    with pytest.raises(ManifestError, match="another namespace than the project's, default"):
        render(checkout, wider)


@pytest.mark.parametrize(
    "text", ["manifests: {allow: [hostnetwork]}", "manifests: {kind: []}", "manifests: {kinds: ['a b']}"]
)
def test_a_wrong_policy_lets_nothing_through(tmp_path: Path, text: str) -> None:
    (tmp_path / "gate.yaml").write_text(GATE + text)
    with pytest.raises(ConfigurationError, match="manifests"):
        read_manifest_policy(tmp_path / "gate.yaml")


def test_the_shipped_policy_is_the_default_one() -> None:
    shipped = Path("configs/gate.yaml")
    assert read_manifest_policy(shipped) == ManifestPolicy()
    assert set(yaml.safe_load(shipped.read_text())["manifests"]) == set(ManifestPolicy.__dataclass_fields__)


def test_a_manifest_that_is_a_link_is_refused_as_the_scan_does_not_read_it_there(tmp_path: Path) -> None:
    checkout = write(
        tmp_path, {"docs/notes.txt": DEPLOYMENT, "docs/k8s/web.yaml": DEPLOYMENT, "k8s/real.yaml": DEPLOYMENT}
    )
    (checkout / "k8s/link.yaml").symlink_to("../docs/notes.txt")
    (checkout / "linked").symlink_to("docs/k8s")
    for path in ("k8s/link.yaml", "linked", "linked/web.yaml", "k8s/../linked/web.yaml"):
        with pytest.raises(ManifestError, match="is a link, or behind one"):
            read_manifests(checkout, path)
    assert [path for path, _ in read_manifests(checkout, "k8s")] == ["k8s/real.yaml"]


@pytest.mark.parametrize("source", ["link.yaml", "../linked", "../linked/web.yaml"])
def test_a_kustomization_takes_nothing_through_a_link(tmp_path: Path, source: str) -> None:
    checkout = write(tmp_path, {"docs/web.yaml": DEPLOYMENT, "docs/kustomization.yaml": "resources: [web.yaml]",
                                "k8s/kustomization.yaml": f"resources: [{source}]"})  # fmt: skip
    (checkout / "k8s/link.yaml").symlink_to("../docs/web.yaml")
    (checkout / "linked").symlink_to("docs")
    with pytest.raises(ManifestError, match="is a link or behind one"):
        render(checkout)
