"""Check every external part of the pipeline: whether it is there, its version, and what does not work without it.

Deliberately absent: repairing anything, and how each part is asked (outside.py).
"""

from collections.abc import Sequence
from pathlib import Path

from infraaudit.operations import outside
from infraaudit.operations.outside import Part, Question, ask_all

__all__ = ["Part", "examine"]


def examine(
    *,
    engine: str = "auto",
    kubeconfig: Path | None = None,
    target: str = "auto",
    registries: Sequence[str] = (),
    prometheus_url: str | None = None,
    grafana_url: str | None = None,
    database_url: str = "",
) -> list[Part]:
    """Every external part, in the order of the pipeline. Takes seconds at most, and raises nothing."""
    questions = [
        Question("git", "everything: commits are read with it", outside.git, needed=True),
        Question(
            "engine", "build, tests and container deployment; scan, history and trends work", outside.engine(engine)
        ),
        Question(
            "builder", "RUN --mount and parallel stages in Dockerfiles, without BuildKit", outside.builder(engine)
        ),
        Question(
            "build box", "builds, unless build_isolation is none: then on the engine itself, as root", outside.build_box
        ),
        Question("cluster", "Kubernetes; containers of the engine instead", outside.cluster(target, kubeconfig)),
        *(
            Question(f"registry {name.partition('/')[0]}", "deployment by digest", outside.registry(name))
            for name in dict.fromkeys(registries)
        ),
        *(
            []
            if registries
            else [Question("registry", "deployment by digest; local images instead", outside.no_registry)]
        ),
        Question("promtool", "the check of prometheus.yml and its rules", outside.tool("promtool", "--version")),
        Question("prometheus", "stored metrics, alerts", outside.http(prometheus_url, "prometheus_url", "/-/ready")),
        Question("grafana", "dashboards in Grafana", outside.http(grafana_url, "grafana_url", "/api/health")),
        Question("database", "everything: the history is kept in it", outside.database(database_url), needed=True),
    ]
    return ask_all(questions)
