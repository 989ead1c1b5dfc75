"""Build the release of a commit: its manifests, within the policy, with an image, for one environment."""

from collections.abc import Sequence
from pathlib import Path

from infraaudit_domain.dagster_names import IMAGE, image_name
from infraaudit_domain.delivery.deployments import Release
from infraaudit_domain.errors import ManifestError
from infraaudit_domain.projects import Environment, Project
from resources.configuration.gate import read_manifest_policy
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.deployments import deployed
from resources.history.queries.further_images import first_image_name, further_images
from resources.manifests.files import render_release


def build_release(
    mirror: Mirror,
    scratch: Path,
    project: Project,
    environment: Environment,
    sha: str,
    image: str,
    gate_file: Path,
    further: Sequence[str] = (),
) -> Release:
    """The release of a commit. Raises ManifestError, RepositoryError, and ConfigurationError without a policy."""
    policy = read_manifest_policy(gate_file)
    with mirror.checkout(sha, scratch) as folder:
        manifests = render_release(folder, project, environment, sha, image, policy, further)
    return Release(project.name, environment.name, sha, image, manifests, environment.soak)


def first_reference(history: History, project: Project, sha: str) -> str:
    """What the commit's first image is called. Raises ManifestError where it has none, or one of another name."""
    image, name = history.image(project.name, sha), first_image_name(history, project.name, sha)
    if image is None or name != project.first_image.name:
        of_another = (
            f" {project.first_image.name}: the one it has was built as {name or 'the only one'}" if image else ""
        )
        raise ManifestError(f"{sha[:12]} has no image{of_another}; materialize {IMAGE} first.")
    return image.digest or image.reference


def further_references(history: History, project: Project, environment: Environment, sha: str) -> list[str]:
    """What the commit's further images are called, in the project's order.

    Raises ManifestError for one that is missing, or that the environment before did not run.
    """
    built, before = further_images(history, project.name, sha), project.before(environment)
    ran = deployed(history, project.name, before.name, sha) if before else None
    references = []
    for source in project.further_images:
        asset = image_name(project, source)
        if source.name not in built:
            raise ManifestError(f"{sha[:12]} has no image {source.name}; materialize {asset} first.")
        reference = built[source.name].digest or built[source.name].reference
        if ran and _is_of_another_build(reference, ran.manifests):
            raise ManifestError(
                f"The image {source.name} of {sha[:12]} was built again since it was healthy in {ran.environment}; "
                "deploy it there again first."
            )
        references.append(reference)
    return references


def _is_of_another_build(reference: str, manifests: str) -> bool:
    """Whether manifests run the image of a reference as it was built at another time."""
    repository = reference.partition("@")[0]
    return "@" in reference and f"{repository}@" in manifests and reference not in manifests
