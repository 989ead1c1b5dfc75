"""The hosts of the clusters in a kubeconfig: no build may reach one. Deliberately absent: asking a cluster."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import yaml


def server_hosts(kubeconfig: Path | None) -> list[str]:
    """The hosts of every cluster that is configured; none where no kubeconfig can be read."""
    given = str(kubeconfig or os.environ.get("KUBECONFIG") or Path.home() / ".kube/config")
    urls = [f"//{os.environ.get('KUBERNETES_SERVICE_HOST', '')}"]
    for path in given.split(os.pathsep):
        urls += _servers(Path(path))
    return sorted({host for url in urls if (host := urlsplit(url).hostname)})


def _servers(path: Path) -> list[str]:
    try:
        read = yaml.safe_load(path.read_text("utf-8"))
        return [str(entry["cluster"]["server"]) for entry in read["clusters"]]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return []
