"""The names that Dagster knows a project's things by: groups, partitions, assets, jobs, sensors, run keys, tags.

Whoever starts a run, looks for one or links to one takes them from here. Deliberately absent: Dagster's objects.
"""

from infraaudit_domain.projects import Environment, Project

RUN_KEY, SENSOR_NAME, PARENT_RUN = "dagster/run_key", "dagster/sensor_name", "dagster/parent_run_id"
PARTITION = "dagster/partition"
COMMIT, BRANCH = "infraaudit/commit", "infraaudit/branch"


def group_of(project: Project) -> str:
    """The asset group of a project; Dagster's names have no hyphen."""
    return _name(project.name)


def partitions_name(project: Project) -> str:
    return f"{group_of(project)}_commits"


def deployment_name(project: Project, environment: Environment) -> str:
    """The name of the asset that is a project's environment."""
    return "deployment" if environment is project.environment else f"deployment_{_name(environment.name)}"


def pipeline_name(project: Project) -> str:
    return f"{group_of(project)}_pipeline"


def audit_name(project: Project) -> str:
    return f"{group_of(project)}_audit"


def delivery_name(project: Project) -> str:
    return f"{group_of(project)}_delivery"


def watch_name(project: Project) -> str:
    return f"{group_of(project)}_watch"


def promotion_name(project: Project, environment: Environment) -> str:
    return f"{group_of(project)}_to_{_name(environment.name)}"


def sensor_name(project: Project) -> str:
    return f"{group_of(project)}_commits"


def run_key(project: Project, sha: str) -> str:
    """What makes a commit run once, whoever asks for it."""
    return f"{project.name}:{sha}"


def delivery_key(project: Project, sha: str) -> str:
    """What makes a commit that ran on another branch be delivered once."""
    return f"{run_key(project, sha)}:delivery"


def promotion_key(project: Project, environment: Environment, sha: str) -> str:
    """What makes a commit be promoted to an environment by itself once."""
    return f"promote:{project.name}:{environment.name}:{sha}"


def run_tags(sha: str, branch: str = "") -> dict[str, str]:
    """What a commit's run says of itself beside its partition."""
    return {COMMIT: sha} | ({BRANCH: branch} if branch else {})


def _name(text: str) -> str:
    return text.replace("-", "_")
