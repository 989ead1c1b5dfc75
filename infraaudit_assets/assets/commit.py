"""The `commit` asset: what Git says of the partition's commit."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from infraaudit_assets.assets.stage import RETRY, stage
from infraaudit_assets.assets.tables import table
from infraaudit_assets.domain.commits import Commit
from infraaudit_assets.domain.projects import Project
from resources.git import Mirror
from resources.shells import GitResource, HistoryResource

if TYPE_CHECKING:
    from resources.history import History


def take_in(past: "History", mirror: Mirror, project: Project, sha: str) -> Commit:
    """Fetch what the repository has and record a commit of it; every stage that may come first does it."""
    mirror.fetch()
    found = mirror.commit(sha)
    past.record_project(project)
    past.record_commit(project.name, found)
    return found


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
        from resources.history.lifecycles import follow_deploy_branch

        past = history.open()
        with stage(context, project, past) as current:
            mirror = git.mirror(project)
            found = take_in(past, mirror, project, current.sha)
            follow_deploy_branch(past, mirror, project)
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
