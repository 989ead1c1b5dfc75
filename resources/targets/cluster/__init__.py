"""A Kubernetes cluster as a deployment target, through the official client."""

from resources.cluster.connection import Cluster, connect
from resources.cluster.target import KubernetesTarget

__all__ = ["Cluster", "KubernetesTarget", "connect"]
