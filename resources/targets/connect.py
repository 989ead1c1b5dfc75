"""Choose where a project is deployed to on this installation."""

from pathlib import Path

from infraaudit_domain.delivery.deployments import Deployment
from infraaudit_domain.errors import ClusterError, ClusterUnavailableError
from infraaudit_domain.projects import Environment
from resources.engine import detect_engine
from resources.targets.cluster import KubernetesTarget, connect
from resources.targets.container.target import ContainerTarget
from resources.targets.target import Target


def connect_target(
    choice: str, environment: Environment, kubeconfig: Path | None, engine: str, state: Path, live: Deployment | None
) -> Target:
    """Kubernetes where one answers, else containers of the engine; ``choice`` narrows that.

    Where the ``live`` deployment is in a cluster that does not answer, containers do not replace it. Raises
    ClusterUnavailableError or EngineUnavailableError where there is nowhere to deploy to, and ClusterError, which may
    be retried, where that cluster does not answer.
    """
    if choice == "none":
        raise ClusterUnavailableError("INFRAAUDIT_TARGET is none: nothing is deployed.")
    if choice in ("auto", "kubernetes"):
        try:
            return KubernetesTarget(
                connect(kubeconfig, environment.context),
                environment.namespace,
                force=environment.force_conflicts,
                prune=environment.prune,
                adopt=environment.adopt,
                ignored=environment.ignore_drift,
                self_heal=environment.self_heal,
            )
        except ClusterUnavailableError as error:
            if live is not None and live.target.startswith("kubernetes:"):
                raise ClusterError(
                    f"What is live is in {live.target}. {error} To leave that cluster, set INFRAAUDIT_TARGET=container."
                ) from error
            if choice == "kubernetes" or environment.context is not None:
                raise
    return ContainerTarget(detect_engine(engine), state)
