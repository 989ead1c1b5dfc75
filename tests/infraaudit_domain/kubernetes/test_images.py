"""Several images of a project in one set of manifests."""

import pytest

from infraaudit_domain.delivery.image_sources import ImageSource
from infraaudit_domain.errors import ManifestError
from infraaudit_domain.kubernetes.manifest_policy import containers_of, pod_spec
from infraaudit_domain.kubernetes.manifests import render_manifests

WEB, WORKER = ("infraaudit/p:aaaaaaaaaaaa", "r.example.org:5000/p/worker@sha256:" + "1" * 64)


def deployment(name: str, *containers: tuple[str, str], init: tuple[str, str] | None = None) -> dict:
    def listed(*pairs: tuple[str, str]) -> list[dict]:
        return [{"name": name, "image": image, "imagePullPolicy": "Always"} for name, image in pairs]

    spec = {"containers": listed(*containers), **({"initContainers": listed(init)} if init else {})}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"template": {"metadata": {"labels": {"app": name}}, "spec": spec}},
    }  # fmt: skip


def run_by(*documents: dict, web: ImageSource, worker: ImageSource) -> dict[str, str]:
    """The image of each container of the release."""
    rendered = render_manifests(
        [("a.yaml", document) for document in documents],
        project="p", sha="a" * 40, environment="production", namespace="shop", image=WEB,
        listed=[(web, WEB), (worker, WORKER)],
    )  # fmt: skip
    found = [one for document in rendered for one in containers_of(pod_spec(document) or {})]
    assert all(one["imagePullPolicy"] == "IfNotPresent" for one in found if one["image"] == WEB)
    return {one["name"]: one["image"] for one in found}


PLAIN = ImageSource("web", "web/Dockerfile"), ImageSource("worker", "worker/Dockerfile")


@pytest.mark.parametrize(
    ("web", "worker", "used_in"),
    [
        ("acme/web:1", "acme/worker", None),
        ("r.example.org:5000/acme/web@sha256:" + "2" * 64, "localhost:5000/worker:2", None),
        ("x:1", "y:1", ("jobs",)),
        ("x:1", "acme/other:3", ("acme/other",)),
    ],
    ids=["by name", "by registry", "by container", "by reference"],
)
def test_each_container_runs_its_image_and_a_database_its_own(
    web: str, worker: str, used_in: tuple[str, ...] | None
) -> None:
    sources = (
        ImageSource("web", "a", used_in=("front", "before") if used_in else None),
        ImageSource("worker", "b", used_in=used_in),
    )
    documents = (
        deployment("front", ("front", web), ("db", "postgres:17"), init=("before", web)),
        deployment("back", ("jobs", worker)),
    )
    found = run_by(*documents, web=sources[0], worker=sources[1])
    assert found == {"front": WEB, "db": "postgres:17", "before": WEB, "jobs": WORKER}


@pytest.mark.parametrize(
    ("containers", "sources", "words"),
    [
        ([("web", "acme/web")], PLAIN, "no container runs the image worker; set its used_in"),
        ([("web", "worker")], PLAIN, r"container web \(worker\) would be both image web and image worker"),
    ],
)  # fmt: skip
def test_nothing_is_guessed(
    containers: list[tuple[str, str]], sources: tuple[ImageSource, ImageSource], words: str
) -> None:
    with pytest.raises(ManifestError, match=words):
        run_by(deployment("a", *containers), web=sources[0], worker=sources[1])


def test_a_container_chosen_by_name_leaves_others_of_the_same_image_alone() -> None:
    sources = ImageSource("web", "a", used_in=("front",)), ImageSource("mig", "b", used_in=("migrate",))
    document = deployment("a", ("front", "x"), ("db", "postgres:16"), init=("migrate", "postgres:16"))
    found = run_by(document, web=sources[0], worker=sources[1])
    assert found == {"front": WEB, "db": "postgres:16", "migrate": WORKER}


def test_two_containers_of_one_placeholder_run_their_own_images() -> None:
    sources = ImageSource("web", "a", used_in=("a",)), ImageSource("worker", "b", used_in=("b",))
    found = run_by(deployment("a", ("a", "x"), ("b", "x")), web=sources[0], worker=sources[1])
    assert found == {"a": WEB, "b": WORKER}


def test_used_in_of_an_only_image_is_heeded() -> None:
    rendered = render_manifests(
        [("a.yaml", deployment("a", ("proxy", "nginx"), ("app", "x")))],
        project="p", sha="a" * 40, environment="production", namespace="shop", image=WEB,
        listed=[(ImageSource("web", "a", used_in=("app",)), WEB)],
    )  # fmt: skip
    assert [one["image"] for one in containers_of(pod_spec(rendered[0]) or {})] == ["nginx", WEB]


def test_an_image_may_be_run_by_nothing() -> None:
    tools = ImageSource("worker", "b", used_in=())
    assert run_by(deployment("a", ("web", "acme/web")), web=PLAIN[0], worker=tools) == {"web": WEB}


def test_a_further_image_of_another_project_is_refused() -> None:
    with pytest.raises(ManifestError, match="may be another project's"):
        run_by(
            deployment("a", ("web", "w"), ("worker", "v"), ("x", "infraaudit/q/other:aaaaaaaaaaaa")),
            web=PLAIN[0], worker=PLAIN[1],
        )  # fmt: skip
