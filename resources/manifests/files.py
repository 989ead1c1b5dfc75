"""Read a commit's manifests from its checkout, and write rendered ones as YAML.

The commit is untrusted: it is read within bounds (resources/machine/yaml_text.py), without aliases, and the number and
size of its files are limited before any is read.
Deliberately absent: judging the content (infraaudit_domain/kubernetes/manifests.py).
"""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from infraaudit_domain.errors import ManifestError, excerpt
from infraaudit_domain.kubernetes.manifest_policy import ManifestPolicy
from infraaudit_domain.kubernetes.manifests import Document, render_manifests
from infraaudit_domain.projects import Environment, Project
from resources.machine.yaml_text import Bounds, UnreadableError, read_documents
from resources.manifests.kustomize import build_kustomization, is_reached_by_link, kustomization_of

MANIFEST_BYTES = 2 * 1024 * 1024
DOCUMENTS = 500
_RENDERED = Bounds(size=8 * 1024 * 1024)


def render_release(
    folder: Path,
    project: Project,
    environment: Environment,
    sha: str,
    image: str,
    policy: ManifestPolicy,
    further: Sequence[str] = (),
) -> str:
    """The rendered manifests of a checkout as multi-document YAML. Raises ManifestError.

    ``further`` is what the further images of the project are called, in their order.
    """
    paths = environment.manifests or project.paths.manifests
    documents = [pair for path in paths for pair in read_manifests(folder, path)]
    if len(documents) > DOCUMENTS:
        raise ManifestError(f"{len(documents)} objects are more than the {DOCUMENTS} that a release may have.")
    rendered = render_manifests(
        documents,
        project=project.name,
        sha=sha,
        environment=environment.name,
        namespace=environment.namespace,
        image=image,
        container=project.container,
        policy=policy,
        uses=frozenset(environment.uses),
        listed=list(zip(project.images, (image, *further), strict=True)) if project.images else [],
    )
    return yaml.safe_dump_all(rendered, sort_keys=False, allow_unicode=True)


def read_manifests(folder: Path, path: str) -> list[tuple[str, Document]]:
    """The (path, document) pairs of a manifest, of a kustomization, or of every manifest in a folder.

    Raises ManifestError.
    """
    manifest = folder.resolve() / path
    if not manifest.resolve().is_relative_to(folder.resolve()):
        raise ManifestError(f"{path} leads out of the checkout.")
    if is_reached_by_link(manifest):
        raise ManifestError(f"{path} is a link, or behind one: name the file itself, as the scan reads it.")
    if manifest.is_dir() and kustomization_of(manifest):
        text = build_kustomization(
            folder, manifest, lambda found: [document for _, document in _read_file(found, path)]
        )
        return _parsed(text, path)
    if manifest.is_dir():
        return _read_folder(folder.resolve(), manifest, path)
    if not manifest.is_file():
        raise ManifestError(f"The commit has no {path}; add it, or set paths.manifests of the project.")
    return _read_file(manifest, path)


def _read_folder(root: Path, folder: Path, path: str) -> list[tuple[str, Document]]:
    found = (file for file in folder.rglob("*") if file.suffix in (".yaml", ".yml") and not file.is_symlink())
    files = sorted(islice((file for file in found if file.is_file()), DOCUMENTS + 1))
    if len(files) > DOCUMENTS:
        raise ManifestError(f"{path}: {len(files)} objects are more than the {DOCUMENTS} that a release may have.")
    if (size := sum(file.stat().st_size for file in files)) > _RENDERED.size:
        raise ManifestError(f"The manifests in {path} are {size} bytes; {_RENDERED.size} are the most that is read.")
    return [pair for file in files for pair in _read_file(file, excerpt(str(file.relative_to(root)), 300))]


def parse_manifests(text: str) -> list[Document]:
    """Documents of rendered manifests, as render_release wrote them."""
    return [document for document in yaml.load_all(text, _Loader) if document is not None]


def without_secrets(text: str) -> str:
    """Rendered manifests with the values of Secrets masked: for people, and for files."""
    documents = parse_manifests(text)
    secrets = [document for document in documents if document.get("kind") == "Secret"]
    for document in secrets:
        for name in ("data", "stringData"):
            if isinstance(document.get(name), dict):
                document[name] = dict.fromkeys(document[name], "***")
    return yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True) if secrets else text


def _read_file(file: Path, path: str) -> list[tuple[str, Document]]:
    if file.stat().st_size > MANIFEST_BYTES:
        raise ManifestError(f"{path} is larger than {MANIFEST_BYTES} bytes.")
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path} is no text: {excerpt(str(error), 200)}") from error
    return _parsed(text, path)


def _parsed(text: str, path: str) -> list[tuple[str, Document]]:
    if (count := text.count("\n---")) > DOCUMENTS:  # Refused before the parser spends its time on them.
        raise ManifestError(f"{path}: {count} objects are more than the {DOCUMENTS} that a release may have.")
    try:
        return [(path, document) for document in read_documents(text, _RENDERED)]
    except UnreadableError as error:
        raise ManifestError(f"{path} cannot be read: {error}.") from error


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(None, None, "aliases are not allowed in a manifest")
        return super().compose_node(parent, index)
