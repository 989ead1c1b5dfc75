"""The Git sensor: one partition and one run for each new commit of the configured branches.

The cursor holds the last tip that was taken of each branch. Where a branch was force-pushed, what its new tip has
and no known tip reaches is new. A fetch that fails makes the tick fail, and the cursor stays.
"""

import fnmatch
import json
from collections.abc import Mapping, Sequence

import dagster as dg

from infraaudit_assets.assets import commits_of, group_of
from infraaudit_assets.domain.projects import Project
from infraaudit_assets.jobs import pipeline_name
from resources.git import Mirror
from resources.shells import GitResource

BATCH = 100


def sensor_name(project: Project) -> str:
    return f"{group_of(project)}_commits"


def run_key(project: Project, sha: str) -> str:
    """What makes a commit run once, whoever asks for it."""
    return f"{project.name}:{sha}"


def build_commit_sensor(project: Project, seconds: int) -> dg.SensorDefinition:
    @dg.sensor(
        name=sensor_name(project),
        job_name=pipeline_name(project),
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Starts one run for each new commit of {project.name} on {', '.join(project.branches)}.",
    )
    def commits(context: dg.SensorEvaluationContext, git: GitResource) -> dg.SensorResult | dg.SkipReason:
        mirror = git.mirror(project)
        mirror.fetch()
        known: dict[str, str] = json.loads(context.cursor or "{}")
        tips = {name: sha for name, sha in mirror.branches().items() if _is_watched(project, name)}
        if not tips:
            return dg.SkipReason(f"{project.name} has no branch that matches {', '.join(project.branches)}.")
        new, taken = new_commits(mirror, project, known, tips)
        if not new:
            context.update_cursor(json.dumps(taken))
            return dg.SkipReason("No new commit.")
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(run_key=run_key(project, sha), partition_key=sha, tags={"infraaudit/commit": sha})
                for sha in new
            ],
            dynamic_partitions_requests=[commits_of(project).build_add_request(new)],
            cursor=json.dumps(taken),
        )

    return commits


def new_commits(
    mirror: Mirror, project: Project, known: Mapping[str, str], tips: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """At most 100 new commits, parents first, and the cursor after them.

    A branch that was never seen begins with its newest ``first_commits`` commits. Where there are more than 100,
    the cursor ends in the middle of the branch, and the next tick goes on from there.
    """
    seen = list(dict.fromkeys(known.values()))
    taken = {name: sha for name, sha in known.items() if name in tips}
    new: list[str] = []
    for name, tip in tips.items():
        fresh = _beginning(mirror, project, tip, seen) if name not in known else mirror.commits([tip], seen)
        fresh = [sha for sha in fresh if sha not in new]
        room = BATCH - len(new)
        new += fresh[:room]
        if len(fresh) > room:
            taken |= {name: fresh[room - 1]} if room else {}
            break
        taken[name] = tip
        seen.append(tip)
    return new, taken


def _beginning(mirror: Mirror, project: Project, tip: str, seen: Sequence[str]) -> list[str]:
    fresh = mirror.commits([tip], seen)
    return fresh[-project.first_commits :] if project.first_commits and not seen else fresh


def _is_watched(project: Project, branch: str) -> bool:
    return any(fnmatch.fnmatchcase(branch, pattern) for pattern in project.branches)
