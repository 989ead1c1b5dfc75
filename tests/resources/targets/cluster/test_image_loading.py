import pytest

from resources.targets.cluster.image_loading import loading_command


@pytest.mark.parametrize(
    ("context", "image", "program"),
    [
        ("kind-shop", "p:1", ["kind", "load", "docker-image", "p:1", "--name", "shop"]),
        ("k3d-shop", "p:1", ["k3d", "image", "import", "p:1", "--cluster", "shop"]),
        ("minikube", "p:1", ["minikube", "image", "load", "p:1"]),
        ("kind-shop", "registry/p@sha256:1", None),
        ("production", "p:1", None),
    ],
)
def test_only_a_cluster_in_containers_is_given_the_image(context: str, image: str, program: list[str] | None) -> None:
    assert loading_command(context, image) == program
