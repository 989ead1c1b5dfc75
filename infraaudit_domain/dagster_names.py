"""Dagster's names for what belongs to a project: groups, partitions, assets, jobs, sensors, run keys, tags.

Code that starts, finds or links to a run takes its names from here. Deliberately absent: Dagster's objects.
"""

from collections.abc import Sequence

from infraaudit_domain.delivery.deployments import Deployment
from infraaudit_domain.delivery.image_sources import ImageSource
from infraaudit_domain.projects import Environment, Project

RUN_KEY, SENSOR_NAME, PARENT_RUN = "dagster/run_key", "dagster/sensor_name", "dagster/parent_run_id"
PARTITION = "dagster/partition"
LIVE_STILL_PASSES = "live_still_passes"
"""The check of a deployment asset that asks whether what is live would be let in today."""
COMMIT, BRANCH = "infraaudit/commit", "infraaudit/branch"
NO_DRIFT = "no_drift"
"""The check of a deployment asset: what is live is healthy and as it was deployed."""
REQUEST = "infraaudit/request"
"""The number of the request whose head a run is for."""
IMAGE = "docker_image"
SUBJECT, AUTHOR = "infraaudit/subject", "infraaudit/author"


def group_of(project: Project) -> str:
    """The asset group of a project; Dagster's names have no hyphen."""
    return _name(project.name)


def partitions_name(project: Project) -> str:
    return f"{group_of(project)}_commits"


def deployment_name(project: Project, environment: Environment) -> str:
    """The name of the asset that deploys to an environment."""
    return "deployment" if environment is project.environment else f"deployment_{_name(environment.name)}"


def image_name(project: Project, source: ImageSource) -> str:
    """The name of the asset that builds an image."""
    return IMAGE if source == project.first_image else f"{IMAGE}_{_name(source.name)}"


def pipeline_name(project: Project) -> str:
    return f"{group_of(project)}_pipeline"


def audit_name(project: Project) -> str:
    return f"{group_of(project)}_audit"


def delivery_name(project: Project) -> str:
    return f"{group_of(project)}_delivery"


def request_name(project: Project) -> str:
    """The job of a request's head: it is built, tested and scanned."""
    return f"{group_of(project)}_request"


def fork_name(project: Project) -> str:
    """The job of the head of a fork's request: it is scanned, and nothing of it is run."""
    return f"{group_of(project)}_fork"


def is_of_request(project: Project, job: str) -> bool:
    """Whether a job is one for heads of requests, which are on no branch of ours yet."""
    return job in (request_name(project), fork_name(project))


def requests_name(project: Project) -> str:
    """The sensor that starts the runs of requests."""
    return f"{group_of(project)}_requests"


def promotion_name(project: Project, environment: Environment) -> str:
    return f"{group_of(project)}_to_{_name(environment.name)}"


def continue_name(project: Project, environment: Environment) -> str:
    """The sensor that deploys what waited, for the end of a freeze or for approvals."""
    return f"{group_of(project)}_continue_{_name(environment.name)}"


def sensor_name(project: Project) -> str:
    return f"{group_of(project)}_commits"


def claimed_names(project: Project) -> frozenset[str]:
    """The names of a project's jobs and sensors: Dagster refuses two of a name, and with them every project."""
    of_all = (pipeline_name, audit_name, delivery_name, sensor_name)
    promotions = (promotion_name(project, environment) for environment in project.environments[1:])
    continuing = (continue_name(project, environment) for environment in project.environments)
    of_requests = (request_name, fork_name, requests_name) if project.forge and project.forge.requests else ()
    return frozenset({*(name(project) for name in (*of_all, *of_requests)), *promotions, *continuing})


def former_names(project: Project) -> frozenset[str]:
    """The names of jobs that earlier versions had; Dagster still stores their runs."""
    return frozenset({f"{group_of(project)}_watch"})


def doubled_environments(names: Sequence[str]) -> list[str]:
    """The names of environments, as they were given, that would be one to Dagster or on a target."""
    made = [_name(name) for name in names]
    return [name for name in names if made.count(_name(name)) > 1]


def run_key(project: Project, sha: str) -> str:
    """The run key of a commit: it runs once, however many requests there are."""
    return f"{project.name}:{sha}"


def delivery_key(project: Project, sha: str) -> str:
    """The run key by which a commit that ran on another branch is delivered once."""
    return f"{run_key(project, sha)}:delivery"


def request_key(project: Project, sha: str) -> str:
    """The run key by which the head of a request runs once."""
    return f"{run_key(project, sha)}:request"


def promotion_key(project: Project, environment: Environment, sha: str) -> str:
    """The run key by which a commit is promoted to an environment automatically, once."""
    return f"promote:{project.name}:{environment.name}:{sha}"


def continue_key(held: Deployment) -> str:
    """What the run keys begin with by which a deployment that waited is tried again, for each time that it began to."""
    return f"continue:{held.project}:{held.environment}:{held.sha}:{held.started_at:%Y%m%dT%H%M%S.%f}"


def run_tags(sha: str, branch: str = "") -> dict[str, str]:
    """The tags of a commit's run, besides its partition."""
    return {COMMIT: sha} | ({BRANCH: branch} if branch else {})


def _name(text: str) -> str:
    return text.replace("-", "_")
