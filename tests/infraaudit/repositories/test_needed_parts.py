"""What the answers of outside parts mean for a project: each fault with its remedy, nothing taken for good unseen."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from infraaudit.operations.outside import Part
from infraaudit.repositories.needed_parts import asked, check_parts
from infraaudit.repositories.project_check import Checked, Site, State
from infraaudit_domain.delivery.builds import Isolation
from infraaudit_domain.projects import Environment, Project
from resources.targets.cluster import connect
from resources.targets.cluster.presence import lacking_rights, rights_in_words
from tests.e2e.clusters import Namespace, kubectl, new_namespace
from tests.e2e.waiting import eventually

SITE = Site(Path("gate.yaml"), Path("scratch"), Isolation.BOX)
SHOP = Project("shop", "url", registry="registry.example.org:5000/shop", environments=(Environment("live", "shop"),))
NAMESPACE = "namespace shop in cluster of the current context"
GOOD = {
    name: Part(name, True, "1", "there")
    for name in ("engine", "build box", "registry registry.example.org:5000", "cluster of the current context", NAMESPACE,
                 "promtool", "prometheus", "grafana")
}  # fmt: skip


def checked(parts: dict[str, Part], project: Project = SHOP, site: Site = SITE) -> dict[str, Checked]:
    return {one.what: one for one in check_parts(project, site, parts)}


def test_all_that_answers_is_good_and_what_was_not_tried_is_said() -> None:
    found = checked(GOOD)
    assert {one.state for one in found.values()} == {State.GOOD}
    assert "pushed to it was not tried" in found["registry registry.example.org:5000"].detail
    assert "reloaded was not tried" in found["prometheus"].detail


@pytest.mark.parametrize(
    ("name", "what"),
    [(name, name) for name in ("engine", "build box", "registry registry.example.org:5000", "prometheus", "grafana")]
    + [(NAMESPACE, "namespace shop")],
)
def test_what_does_not_answer_is_a_fault_with_a_remedy(name: str, what: str) -> None:
    found = checked(GOOD | {name: Part(name, False, detail="it is down. Start it")})
    assert found[what].state is State.FAULT and found[what].remedy
    assert sum(one.state is State.FAULT for one in found.values()) == 1


def test_without_a_cluster_it_is_containers_unless_one_is_asked_for() -> None:
    gone = GOOD | {"cluster of the current context": Part("", False, detail="refused")}
    found = checked(gone)
    assert found["target of live"].state is State.ABSENT and "containers" in found["target of live"].detail
    assert "namespace shop" not in found
    asked_for = checked(gone, site=replace(SITE, target="kubernetes"))
    assert asked_for["target of live"].state is State.FAULT
    assert asked_for["namespace shop"].state is State.NOT_CHECKED


def test_what_an_installation_does_without_is_absent() -> None:
    parts = {name: part for name, part in GOOD.items() if name not in ("prometheus", "grafana", "build box")}
    found = checked(parts, replace(SHOP, registry=None), replace(SITE, isolation=Isolation.NONE, target="container"))
    absent = {name for name, one in found.items() if one.state is State.ABSENT}
    assert absent == {"build box", "registry", "target of live", "prometheus", "grafana"}


def test_what_is_only_audited_needs_none_of_them() -> None:
    audited = replace(SHOP, audit_only=True)
    assert asked([audited], SITE) == {}
    (only,) = check_parts(audited, SITE, {})
    assert only.state is State.NOT_CHECKED


def test_a_broken_entry_is_asked_for_nothing() -> None:
    broken = replace(SHOP, fault="wrong")
    assert (asked([broken], SITE), list(check_parts(broken, SITE, {}))) == ({}, [])


def test_rights_are_named_by_what_they_are_of() -> None:
    assert rights_in_words() == (
        "create, patch deployments; create, patch services; get, create, update leases; list pods; get pods/log"
    )


@pytest.mark.e2e
def test_a_real_cluster_is_asked_for_each_right(tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs("kubernetes")
    with new_namespace(tmp_path) as namespace:
        _check_rights(namespace)


def _check_rights(namespace: Namespace) -> None:
    cluster = connect(namespace.kubeconfig)
    eventually(lambda: lacking_rights(cluster, namespace.name) == ())
    rules = [("apps", "deployments", "patch"), ("", "services", "patch"), ("coordination.k8s.io", "leases", "update")]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "infraaudit"},
        "rules": [{"apiGroups": [group], "resources": [of], "verbs": [verb]} for group, of, verb in rules],
    }  # fmt: skip
    environment = Environment("live", namespace.name)
    site = replace(SITE, engine="none", target="kubernetes", kubeconfig=namespace.kubeconfig)
    project = replace(SHOP, registry=None, environments=(environment,))
    allowed = checked(dict(asked([project], site)), project, site)[f"namespace {namespace.name}"]
    assert allowed.state is State.GOOD and f"our user may {rights_in_words()} there" in allowed.detail
    kubectl("--namespace", namespace.name, "apply", "-f", "-", stdin=json.dumps(role))
    left = "create deployments; create services; get, create leases; list pods; get pods/log"
    eventually(lambda: rights_in_words(lacking_rights(cluster, namespace.name)) == left)
    refused = checked(dict(asked([project], site)), project, site)[f"namespace {namespace.name}"]
    assert refused.state is State.FAULT and f"our user may not {left} in" in refused.detail
    assert "role.yaml" in refused.remedy


@pytest.mark.e2e
def test_a_real_cluster_is_asked_for_namespaces_rights_and_objects(needs: Callable[[str], None]) -> None:
    needs("kubernetes")
    environments = (
        Environment("good", "default", uses=("ServiceAccount/default",)),
        Environment("lacking", "default", uses=("Secret/nobody-made-this", "Ingress/web")),
        Environment("gone", "nobody-made-this"),
    )
    project = replace(SHOP, registry=None, environments=environments)
    site = replace(SITE, engine="none", target="kubernetes")
    parts = asked([project], site)
    found = checked(dict(parts), replace(project, environments=environments[2:]), site)
    assert found["target of gone"].state is State.GOOD
    assert found["namespace nobody-made-this"].remedy.startswith("Make it: kubectl create namespace")
    good, lacking = (
        parts[f"namespace default in cluster of the current context with {', '.join(one.uses)}"]
        for one in environments[:2]
    )
    assert good.found and "it has ServiceAccount/default" in good.detail
    assert not lacking.found and "has no Secret/nobody-made-this" in lacking.detail
