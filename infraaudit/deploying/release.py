"""Build the release of a commit: its manifests, within the policy, with an image, for one environment."""

from collections.abc import Sequence
from pathlib import Path

from infraaudit_domain.dagster_names import image_name
from infraaudit_domain.delivery.deployments import Release
from infraaudit_domain.errors import ManifestError
from infraaudit_domain.projects import Environment, Project
from resources.configuration.gate import read_manifest_policy
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.queries.further_images import further_images
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


def further_references(history: History, project: Project, sha: str) -> list[str]:
    """What the commit's further images are called, in the project's order. Raises ManifestError that names the missing
    one."""
    built = further_images(history, project.name, sha)
    for source in project.further_images:
        if source.name not in built:
            asset = image_name(project, source)
            raise ManifestError(f"{sha[:12]} has no image {source.name}; materialize {asset} first.")
    return [built[source.name].digest or built[source.name].reference for source in project.further_images]
