"""The assets of a commit's images: `docker_image` is the first, `docker_image_<name>` each further one."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import dagster as dg

from infraaudit.images import build_or_reuse, find_built, record_built, repository_of
from infraaudit_assets.assets.stage import RETRY, Stage, stage
from infraaudit_assets.assets.tables import code
from infraaudit_domain.dagster_names import image_name, is_of_request
from infraaudit_domain.delivery.image_sources import ImageSource
from infraaudit_domain.delivery.images import Image
from infraaudit_domain.errors import BuildFailedError, EngineUnavailableError
from infraaudit_domain.projects import Project
from resources.dagster.resources import DockerResource, GitResource, HistoryResource
from resources.engine import Engine
from resources.engine.registry import push


def build_images(project: Project, common: dict) -> list[dg.AssetsDefinition]:
    return [_build_asset(project, source, common) for source in (project.first_image, *project.further_images)]


def _build_asset(project: Project, source: ImageSource, common: dict) -> dg.AssetsDefinition:
    name = image_name(project, source)
    repository = repository_of(project, source)

    @dg.asset(
        **common,
        name=name,
        description=f"The image built from {source.dockerfile}"
        + (f", pushed to {repository}" if repository else "")
        + "; skipped where no container engine answers.",
        kinds={"docker"},
        deps=[dg.AssetKey([*common["key_prefix"], "commit"])],
        retry_policy=RETRY,
        output_required=False,
    )
    def docker_image(
        context: dg.AssetExecutionContext, git: GitResource, docker: DockerResource, history: HistoryResource
    ) -> Iterator[dg.MaterializeResult]:
        with stage(context, project, history.connect()) as current:
            if project.audit_only:
                current.skip(f"{project.name} is only audited (audit_only in the projects file).")
                return
            try:
                engine = docker.connect()
                image = build(project, source, current, git, docker, engine)
            except EngineUnavailableError as error:
                if context.retry_number:
                    # The engine died during the build; a machine without one is skipped above.
                    raise
                current.skip(str(error))
                return
            except BuildFailedError as error:
                which = f"image {source.name}: " if source.name else ""
                current.fail(f"{which}{error}")
                raise dg.Failure(
                    f"{which}{source.dockerfile} of {current.sha[:12]} does not build.",
                    metadata={"build_log": code(str(error))},
                    allow_retries=False,
                ) from error
            if repository and not is_of_request(project, context.run.job_name):
                image = replace(image, digest=push(engine, image, repository, on_line=current.log.debug))
            record_built(current.history, project, source, current.sha, image)
            yield dg.MaterializeResult(data_version=dg.DataVersion(image.image_id), metadata=_metadata(image))

    return docker_image


def build(
    project: Project, source: ImageSource, current: Stage, git: GitResource, docker: DockerResource, engine: Engine
) -> Image:
    """An image of the commit of a stage; see :func:`build_or_reuse`."""
    return build_or_reuse(
        engine,
        git.connect(project),
        project,
        source,
        current.sha,
        scratch=git.scratch,
        build_args=docker.build_args(project),
        find_image=lambda digest: find_built(current.history, project, source, digest),
        timeout=docker.build_seconds,
        on_line=current.log.debug,
        box=docker.box(project),
    )


def _metadata(image: Image) -> dict[str, Any]:
    return {
        "reference": image.reference,
        "image_id": image.image_id,
        "size_megabytes": round(image.size_bytes / 1e6, 1),
        "build_seconds": image.build_seconds,
        "reused": f"the build of {image.reused_from[:12]}: its inputs are the same" if image.reused_from else "no",
        **({"digest": image.digest} if image.digest else {}),
    }
