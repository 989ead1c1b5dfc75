"""Build the release of a commit: its manifests, within the policy, with an image, for one environment."""

from pathlib import Path

from infraaudit_domain.delivery.deployments import Release
from infraaudit_domain.projects import Environment, Project
from resources.configuration.gate import read_manifest_policy
from resources.git.mirror import Mirror
from resources.manifests.files import render_release


def build_release(
    mirror: Mirror, scratch: Path, project: Project, environment: Environment, sha: str, image: str, gate_file: Path
) -> Release:
    """The release of a commit. Raises ManifestError, RepositoryError, and ConfigurationError without a policy."""
    policy = read_manifest_policy(gate_file)
    with mirror.checkout(sha, scratch) as folder:
        manifests = render_release(folder, project, environment, sha, image, policy)
    return Release(project.name, environment.name, sha, image, manifests, environment.soak)
