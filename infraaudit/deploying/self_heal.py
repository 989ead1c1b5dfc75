"""Put right what drifted in an environment: the live release is applied again.

Deliberately absent: noticing drift (live_state.py), and how a target takes out what others added.
"""

from collections.abc import Callable

from infraaudit.deploying.deploy import deploy
from infraaudit_domain.delivery.deployments import Deployment, Release
from resources.git.mirror import Mirror
from resources.history import History
from resources.targets.target import Target

_NO_LONGER = "another release went live meanwhile"


def heal(
    history: History,
    mirror: Mirror,
    target: Target,
    live: Deployment,
    *,
    timeout: float,
    on_progress: Callable[[str], None],
) -> Deployment:
    """Apply what is live again, unless another release is live by now. Raises errors that a retry may fix."""
    release = Release(live.project, live.environment, live.sha, live.image, live.manifests)
    return deploy(
        history,
        mirror,
        target,
        release,
        timeout=timeout,
        superseded=lambda _: _NO_LONGER,
        on_progress=on_progress,
    )
