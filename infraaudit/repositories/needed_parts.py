"""Ask the outside parts that projects need: each once, however many projects share it, and all at the same time.

The doctor's questions, asked for one project's own registry, cluster and namespace. Deliberately absent: pushing to a
registry, reloading a Prometheus, and any other change.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from infraaudit.operations import outside
from infraaudit.operations.outside import NotConfiguredError, Part, Question, ask_all
from infraaudit.repositories.project_check import ONLY_AUDITED, Checked, Site, State
from infraaudit_domain.delivery.builds import Isolation
from infraaudit_domain.errors import InfraAuditError
from infraaudit_domain.projects import Environment, Project
from resources.grafana.client import Grafana
from resources.targets.cluster import Cluster, connect
from resources.targets.cluster.presence import (
    Presence,
    lacking_rights,
    namespace_presence,
    object_presence,
    rights_in_words,
)

Parts = Mapping[str, Part]

_REMEDIES = {
    "engine": "Start it (`infraaudit doctor` has the details), or set audit_only: true in its entry.",
    "build box": "Install what is missing, or set build_isolation: none in its entry.",
    "registry": "Start it, or correct registry in its entry.",
    "cluster": "Correct context in its environment, or the kubeconfig.",
    "promtool": "Install Prometheus' promtool: without it prometheus.yml is only parsed.",
    "prometheus": "Start it, or correct INFRAAUDIT_PROMETHEUS_URL.",
    "grafana": "Correct INFRAAUDIT_GRAFANA_URL and INFRAAUDIT_GRAFANA_TOKEN.",
}
_UNTRIED = {
    "registry": "; that images may be pushed to it was not tried",
    "prometheus": "; that it may be reloaded was not tried",
}


def asked(projects: Sequence[Project], site: Site) -> Parts:
    """The answers of all parts that any of the projects needs, by name."""
    questions = {one.name: one for project in projects if not project.fault for one in _questions(project, site)}
    return {part.name: part for part in ask_all(list(questions.values()))}


def _questions(project: Project, site: Site) -> Iterator[Question]:
    if project.audit_only:
        return
    if site.engine != "none":
        yield Question("engine", "", outside.engine(site.engine))
        if _is_boxed(project, site):
            yield Question("build box", "", outside.build_box)
    if project.registry:
        yield Question(_registry(project.registry), "", outside.registry(project.registry))
    for environment in project.environments:
        if site.target in ("auto", "kubernetes"):
            place = outside.cluster(site.target, site.kubeconfig, environment.context)
            yield Question(_cluster(environment), "", place)
            yield Question(_namespace(environment), "", _needs_of(site.kubeconfig, environment))
    yield Question("promtool", "", outside.tool("promtool", "--version"))
    if site.prometheus_url:
        yield Question("prometheus", "", outside.http(site.prometheus_url, "prometheus_url", "/-/ready"))
    if site.grafana_url:
        yield Question("grafana", "", lambda: _grafana(site))


def check_parts(project: Project, site: Site, parts: Parts) -> Iterator[Checked]:
    """What the answers mean for one project."""
    if project.fault:
        return
    if project.audit_only:
        yield Checked("engine, registry, cluster and monitoring", State.NOT_CHECKED, ONLY_AUDITED)
        return
    if site.engine == "none":
        yield Checked("engine", State.ABSENT, "INFRAAUDIT_ENGINE is none: nothing is built, tested or deployed")
    else:
        yield _needed("engine", parts["engine"])
        yield _box(project, site, parts)
    if project.registry:
        yield _needed(_registry(project.registry), parts[_registry(project.registry)])
    else:
        yield Checked("registry", State.ABSENT, "it names none: images stay on the engine that built them")
    if project.build.base_images:
        yield Checked("base images", State.NOT_CHECKED, "a build looks for them in the engine, then pulls them")
    for environment in project.environments:
        yield from _target(environment, site, parts)
    yield _optional("promtool", parts["promtool"])
    for name, variable in (("prometheus", "PROMETHEUS_URL"), ("grafana", "GRAFANA_URL")):
        if name in parts:
            yield _needed(name, parts[name])
        else:
            yield Checked(name, State.ABSENT, f"this installation has none (INFRAAUDIT_{variable})")


def _is_boxed(project: Project, site: Site) -> bool:
    return (project.build.isolation or site.isolation) is Isolation.BOX


def _box(project: Project, site: Site, parts: Parts) -> Checked:
    if _is_boxed(project, site):
        return _needed("build box", parts["build box"])
    return Checked("build box", State.ABSENT, "it builds on the engine itself (build_isolation: none)")


def _registry(repository: str) -> str:
    return f"registry {repository.partition('/')[0]}"


def _cluster(environment: Environment) -> str:
    return f"cluster {environment.context or 'of the current context'}"


def _namespace(environment: Environment) -> str:
    uses = f" with {', '.join(environment.uses)}" if environment.uses else ""
    return f"namespace {environment.namespace} in {_cluster(environment)}{uses}"


def _needed(name: str, part: Part) -> Checked:
    kind = next((key for key in _REMEDIES if name.startswith(key)), name)
    if not part.found:
        return Checked(name, State.FAULT, part.detail, _REMEDIES.get(kind, ""))
    return Checked(name, State.GOOD, f"{part.version} {part.detail}".strip() + _UNTRIED.get(kind, ""))


def _optional(name: str, part: Part) -> Checked:
    if part.found:
        return _needed(name, part)
    return Checked(name, State.ABSENT, part.detail, _REMEDIES.get(name, ""))


def _target(environment: Environment, site: Site, parts: Parts) -> Iterator[Checked]:
    what = f"target of {environment.name}"
    if site.target == "none":
        yield Checked(what, State.ABSENT, "INFRAAUDIT_TARGET is none: nothing is deployed")
        return
    if site.target == "container":
        yield Checked(what, State.ABSENT, "no cluster (INFRAAUDIT_TARGET is container): containers of the engine")
        return
    cluster = parts[_cluster(environment)]
    if cluster.found:
        yield Checked(what, State.GOOD, f"Kubernetes {cluster.version}, {cluster.detail}")
        yield from _namespace_checked(environment, parts)
    elif site.target == "kubernetes" or environment.context is not None:
        yield Checked(what, State.FAULT, cluster.detail, _REMEDIES["cluster"])
        yield Checked(f"namespace {environment.namespace}", State.NOT_CHECKED, "its cluster does not answer")
    else:
        yield Checked(what, State.ABSENT, f"containers of the engine, because no cluster answers: {cluster.detail}")


def _namespace_checked(environment: Environment, parts: Parts) -> Iterator[Checked]:
    part, what = parts[_namespace(environment)], f"namespace {environment.namespace}"
    detail, _, remedy = part.detail.partition(". ")
    yield Checked(what, State.GOOD, part.detail) if part.found else Checked(what, State.FAULT, detail, remedy)


def _needs_of(kubeconfig: Path | None, environment: Environment) -> outside.Ask:
    def ask() -> tuple[str, str]:
        cluster, namespace = connect(kubeconfig, environment.context), environment.namespace
        presence = namespace_presence(cluster, namespace)
        if presence is Presence.ABSENT:
            raise NotConfiguredError(
                f"the cluster has no namespace {namespace}. Make it: kubectl create namespace {namespace}."
            )
        if lacking := lacking_rights(cluster, namespace):
            raise NotConfiguredError(
                f"our user may not {rights_in_words(lacking)} in the namespace {namespace}. "
                "Give it the rights there: apply configs/kubernetes/role.yaml in it."
            )
        seen = "it is there" if presence is Presence.THERE else "that it is there was not checked: it may not be read"
        return (
            "",
            f"{seen}; our user may {rights_in_words()} there, and other rights were not asked for{_of_uses(cluster, environment)}",
        )

    return ask


def _of_uses(cluster: Cluster, environment: Environment) -> str:
    found = {one: object_presence(cluster, environment.namespace, *one.split("/", 1)) for one in environment.uses}
    if absent := [one for one, presence in found.items() if presence is Presence.ABSENT]:
        raise NotConfiguredError(
            f"the namespace {environment.namespace} has no {', '.join(absent)}. Make it there, or correct uses in the entry."
        )
    there = [one for one, presence in found.items() if presence is Presence.THERE]
    unknown = [one for one, presence in found.items() if presence is Presence.UNKNOWN]
    words = f"; it has {', '.join(there)}" if there else ""
    return words + (f"; not checked, because it cannot be read: {', '.join(unknown)}" if unknown else "")


def _grafana(site: Site) -> tuple[str, str]:
    version, base = outside.http(site.grafana_url, "grafana_url", "/api/health")()
    if not site.grafana_token:
        raise NotConfiguredError(f"{base} answers, and INFRAAUDIT_GRAFANA_TOKEN is not set")
    try:
        source = Grafana(base, site.grafana_token).prometheus_source()
    except (InfraAuditError, KeyError, TypeError) as error:
        raise NotConfiguredError(f"{base} answers, and does not let us in: {error}") from error
    return version, f"{base}; its data source {source} can be read; that dashboards may be written was not tried"
