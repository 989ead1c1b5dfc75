"""The `docker_image` asset: the commit's docker/Dockerfile, built."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import dagster as dg

from infraaudit.images import build_or_reuse
from infraaudit_assets.assets.stage import RETRY, Stage, stage
from infraaudit_assets.assets.tables import code
from infraaudit_domain.dagster_names import is_of_request
from infraaudit_domain.delivery.images import Image
from infraaudit_domain.errors import BuildFailedError, EngineUnavailableError
from infraaudit_domain.projects import Project
from resources.dagster.resources import DockerResource, GitResource, HistoryResource
from resources.engine import Engine
from resources.engine.registry import push


def build_docker_image(project: Project, common: dict) -> dg.AssetsDefinition:
    @dg.asset(
        **common,
        name="docker_image",
        description=f"The image built from {project.paths.dockerfile}"
        + (f", pushed to {project.registry}" if project.registry else "")
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
                image = _build(project, current, git, docker, engine)
            except EngineUnavailableError as error:
                if context.retry_number:
                    # The engine died during the build; a machine without one is skipped above.
                    raise
                current.skip(str(error))
                return
            except BuildFailedError as error:
                current.fail(str(error))
                raise dg.Failure(
                    f"{project.paths.dockerfile} of {current.sha[:12]} does not build.",
                    metadata={"build_log": code(str(error))},
                    allow_retries=False,
                ) from error
            if project.registry and not is_of_request(project, context.run.job_name):
                image = replace(image, digest=push(engine, image, project.registry, on_line=current.log.debug))
            current.history.record_image(project.name, current.sha, image)
            yield dg.MaterializeResult(data_version=dg.DataVersion(image.image_id), metadata=_metadata(image))

    return docker_image


def _build(project: Project, current: Stage, git: GitResource, docker: DockerResource, engine: Engine) -> Image:
    return build_or_reuse(
        engine,
        git.connect(project),
        project,
        current.sha,
        scratch=git.scratch,
        build_args=docker.build_args(project),
        find_image=current.history.find_image,
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
