"""The `commit` asset: what Git says of the partition's commit."""

from collections.abc import Iterator

import dagster as dg

from infraaudit.intake.request_heads import bring_head, require_ours
from infraaudit.intake.take_in import take_in
from infraaudit.scans.lifecycles import follow_deploy_branch
from infraaudit_assets.assets.stage import RETRY, name_run, stage
from infraaudit_assets.assets.tables import table
from infraaudit_domain.dagster_names import REQUEST, fork_name, is_of_request
from infraaudit_domain.projects import Project
from infraaudit_domain.triggers import REQUESTED, GitEvent
from resources.dagster.resources import GitResource, HistoryResource
from resources.history.git_events import record_git_events


def build_commit(project: Project, common: dict) -> dg.AssetsDefinition:
    @dg.asset(
        **common,
        name="commit",
        description="The commit: who wrote it, when, what it says and which files it changes.",
        kinds={"git"},
        retry_policy=RETRY,
    )
    def commit(
        context: dg.AssetExecutionContext, git: GitResource, history: HistoryResource
    ) -> Iterator[dg.MaterializeResult]:
        past = history.connect()
        with stage(context, project, past) as current:
            mirror = git.connect(project)
            if is_of_request(project, context.run.job_name):
                began = GitEvent(REQUESTED, "", context.run.run_id, current.sha)
                record_git_events(past, project.name, [began])
                mirror.fetch()
                if context.run.job_name == fork_name(project):
                    bring_head(mirror, project, int(context.run.tags.get(REQUEST, "0")), current.sha)
                else:
                    require_ours(mirror, project, current.sha)
            found = take_in(past, mirror, project, current.sha)
            follow_deploy_branch(past, mirror, project)
            name_run(context, found)
            link = project.commit_url.replace("{sha}", found.sha) if project.commit_url else None
            yield dg.MaterializeResult(
                data_version=dg.DataVersion(found.tree),
                metadata={
                    "subject": found.subject,
                    "author": f"{found.author_name} <{found.author_email}>",
                    "committed_at": dg.MetadataValue.timestamp(found.committed_at),
                    "parents": ", ".join(parent[:12] for parent in found.parents) or "none",
                    "files_changed": len(found.changed_files),
                    "files": table(["change", "path"], [(f.status, f.path) for f in found.changed_files]),
                    **({"link": dg.MetadataValue.url(link)} if link else {}),
                },
            )

    return commit
