"""The lines of every pod of a project, those of the instance before a restart included.

Deliberately absent: reading one container's log without a gap (logs.py).
"""

from collections.abc import Iterator
from datetime import datetime

from resources.targets.cluster import observe
from resources.targets.cluster.connection import Cluster, translated
from resources.targets.cluster.logs import container_lines
from resources.targets.target import LogLine


def pod_lines(
    cluster: Cluster, namespace: str, project: str, environment: str, since: datetime | None
) -> Iterator[LogLine]:
    """Lines printed after ``since``, container by container."""
    from kubernetes import client

    core = client.CoreV1Api(cluster.client)
    with translated(f"reading the logs of {project}"):
        pods = observe.pods_of(cluster, namespace, f"infraaudit/project={project}")
        for pod in (one for one in pods if observe.is_of(one, environment)):
            for status in pod.status.container_statuses or ():
                for previous in (True, False) if status.restart_count else (False,):
                    name, sha = pod.metadata.name, observe.commit_of(pod) or ""
                    for moment, text in container_lines(core, namespace, name, status.name, previous, since):
                        yield LogLine(moment, status.name, text, name, sha, "", previous)
