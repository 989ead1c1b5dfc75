"""A Kubernetes cluster as a deployment target, through the official client."""

from resources.targets.cluster.connection import Cluster, connect
from resources.targets.cluster.server_hosts import server_hosts
from resources.targets.cluster.target import KubernetesTarget

__all__ = ["Cluster", "KubernetesTarget", "connect", "server_hosts"]
