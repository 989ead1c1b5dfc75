"""The assets of a project: one module a stage, one factory for all of them."""

from collections.abc import Sequence

import dagster as dg

from infraaudit_assets.assets.commit import build_commit
from infraaudit_assets.assets.dashboard import build_dashboard_asset
from infraaudit_assets.assets.deployment import build_deployment
from infraaudit_assets.assets.drift import build_drift_check
from infraaudit_assets.assets.image import build_images
from infraaudit_assets.assets.live_gate import build_live_gate_check
from infraaudit_assets.assets.logs import build_application_logs
from infraaudit_assets.assets.monitoring import build_monitoring
from infraaudit_assets.assets.scan import build_scan_report
from infraaudit_assets.assets.tests import build_test_results
from infraaudit_assets.assets.trends import build_scan_trends
from infraaudit_domain.dagster_names import group_of
from infraaudit_domain.projects import Project
from resources.dagster.partitions import commits_of

_BUILDERS = (
    build_commit,
    build_test_results,
    build_scan_report,
    build_monitoring,
    build_scan_trends,
    build_application_logs,
    build_dashboard_asset,
)


def build_project_checks(project: Project) -> Sequence[dg.AssetChecksDefinition]:
    """The checks of a project that belong to no commit."""
    return [
        build(project, [group_of(project)], environment)
        for environment in project.environments
        for build in (build_drift_check, build_live_gate_check)
    ]


def build_project_assets(project: Project) -> Sequence[dg.AssetsDefinition]:
    """Every asset of a project, keyed ``[project, name]``."""
    common = {
        "key_prefix": [group_of(project)],
        "group_name": group_of(project),
        "partitions_def": commits_of(project),
        "owners": ["team:platform"],
    }
    deployments = [build_deployment(project, common, environment) for environment in project.environments]
    return [*build_images(project, common), *(build(project, common) for build in _BUILDERS), *deployments]
