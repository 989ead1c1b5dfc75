"""An image of a commit: that of an earlier build with equal inputs, or a new one."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from infraaudit_domain.delivery.image_sources import ImageSource
from infraaudit_domain.delivery.images import Image
from infraaudit_domain.errors import BuildFailedError, EngineError
from infraaudit_domain.projects import Project
from resources.engine import Engine
from resources.engine.box.building import BoxedBuild, build_boxed
from resources.engine.build_inputs import BuildInputs, inputs_digest
from resources.engine.build_request import BuildRequest, image_reference
from resources.engine.builder import build_image
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.queries.further_images import find_further_image, further_images, record_further_image

_FILE_LIMIT = 1024 * 1024
_REFERENCE = re.compile(r"[A-Za-z0-9][\w.:/@+-]{0,500}", re.ASCII)


def build_or_reuse(
    engine: Engine,
    mirror: Mirror,
    project: Project,
    source: ImageSource,
    sha: str,
    *,
    scratch: Path,
    build_args: Mapping[str, str],
    find_image: Callable[[str], tuple[str, Image] | None],
    timeout: float,
    on_line: Callable[[str], None],
    box: BoxedBuild | None = None,
) -> Image:
    """An image of a commit, under the commit's own reference; built in ``box``, or on the host's engine without one.

    ``find_image`` finds, by inputs digest, the commit that first built these inputs, and the image.
    Raises BuildFailedError or EngineError.
    """
    build_args = {**build_args, **source.build_args}
    name = "" if source == project.first_image else source.name
    digest = commit_inputs_digest(engine, mirror, project, source, sha, build_args, box)
    earlier = find_image(digest)
    reference = image_reference(project.name, sha, name)
    if earlier is not None and (image := _reuse(engine, reference, sha, *earlier)) is not None:
        on_line(f"The build inputs equal those of {earlier[0][:12]}: its image is used.")
        return image
    commit = mirror.commit(sha)
    with mirror.checkout(sha, scratch) as checkout:
        request = BuildRequest(
            project.name,
            sha,
            project.url,
            commit.committed_at,
            checkout,
            source.dockerfile,
            source.context,
            build_args,
            name=name,
            target=source.target,
        )
        if box is None:
            return build_image(engine, request, inputs_digest=digest, timeout=timeout, on_line=on_line)
        return build_boxed(box, engine, request, inputs_digest=digest, timeout=timeout, on_line=on_line)


def find_built(history: History, project: Project, source: ImageSource, digest: str) -> tuple[str, Image] | None:
    """The commit that first built these inputs as this image of the project, and the image."""
    if source == project.first_image:
        return history.find_image(project.name, digest)
    return find_further_image(history, project.name, source.name, digest)


def record_built(history: History, project: Project, source: ImageSource, sha: str, image: Image) -> None:
    """Keep an image of a commit; what it was pushed as stays known where the same image is recorded again."""
    first = source == project.first_image
    earlier = history.image(project.name, sha) if first else further_images(history, project.name, sha).get(source.name)
    if image.digest is None and earlier is not None and earlier.image_id == image.image_id:
        image = replace(image, digest=earlier.digest)
    if first:
        history.record_image(project.name, sha, image, source.name)
    else:
        record_further_image(history, project.name, sha, source.name, image)


def repository_of(project: Project, source: ImageSource) -> str | None:
    """Where an image is pushed to; a further one is below the project's registry, by its name."""
    if project.registry is None or source == project.first_image:
        return project.registry
    return f"{project.registry}/{source.name}"


def commit_inputs_digest(
    engine: Engine,
    mirror: Mirror,
    project: Project,
    source: ImageSource,
    sha: str,
    build_args: Mapping[str, str],
    box: BoxedBuild | None = None,
) -> str:
    """What a build of the commit would read, as a digest. Raises BuildFailedError where there is no Dockerfile."""
    text = mirror.read(sha, source.dockerfile, _FILE_LIMIT)
    if text is None:
        key = f"the dockerfile of the image {source.name}" if project.images else "paths.dockerfile"
        raise BuildFailedError(
            f"{sha[:12]} has no {source.dockerfile}: add one, or set {key} of the project {project.name}."
        )
    inputs = BuildInputs(
        sha,
        mirror.tree(sha),
        source.dockerfile,
        text.decode("utf-8", "surrogateescape"),
        source.context,
        build_args,
        engine.builder,
        source.target,
    )

    def meaning(reference: str) -> str | None:
        if box is None or box.brings_in(reference, build_args):
            return identify(engine, reference)
        return box.identify(project.name, reference) if _REFERENCE.fullmatch(reference) else None

    return inputs_digest(inputs, lambda path: mirror.read(sha, path, _FILE_LIMIT), meaning)


def identify(engine: Engine, reference: str) -> str | None:
    """What an image reference means now: the id of the local image, else the digest in its registry; None where
    unknown.

    The engine prefers its own image, so a tag that moved in the registry does not matter where that exists.
    """
    if not _REFERENCE.fullmatch(reference):
        return None
    local = engine.find_image(reference)
    if local is not None:
        return local.image_id
    try:
        manifest = engine.run("manifest", "inspect", reference, timeout=15, check=False)
    except EngineError:
        return None
    return manifest.text if manifest.returncode == 0 and manifest.stdout else None


def _reuse(engine: Engine, reference: str, sha: str, first_sha: str, image: Image) -> Image | None:
    if engine.find_image(image.image_id) is None:
        return None
    engine.tag(image.image_id, reference)
    if first_sha == sha:
        return image
    return replace(image, reference=reference, build_seconds=0.0, digest=None, reused_from=first_sha)
