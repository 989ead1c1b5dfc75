"""What a kustomization of a commit may ask for: local files, plain data. Deliberately absent: building it.

Only keys that are known to be data pass. Charts, plugins, remote bases and custom openapi schemas start programs,
use the network or read beyond the folder, so they are refused.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_SOURCES = ("resources", "bases", "components")
_GENERATORS = ("configMapGenerator", "secretGenerator")
_KEYS = frozenset(
    {
        "apiVersion", "kind", "metadata", "namespace", "namePrefix", "nameSuffix", "commonLabels", "labels",
        "commonAnnotations", "images", "replicas", "patches", "patchesStrategicMerge", "patchesJson6902",
        "generatorOptions", "vars", "replacements", "sortOptions", "buildMetadata", *_SOURCES, *_GENERATORS,
    }
)  # fmt: skip
_GENERATOR_KEYS = frozenset(
    {"name", "namespace", "behavior", "files", "literals", "env", "envs", "type", "options", "immutable"}
)
_PLAIN_TRANSFORMERS = {
    "LabelTransformer", "AnnotationsTransformer", "PrefixTransformer", "SuffixTransformer", "PrefixSuffixTransformer",
    "NamespaceTransformer", "ImageTagTransformer", "ReplicaCountTransformer",
}  # fmt: skip
"""Those that are built into kustomize and read nothing besides their own text."""
_LOCAL = re.compile(r"(?!(?i:github\.com))[\w.][\w./-]{0,500}")
_LONGEST_NAME = 200
_REFERENCES = 1000


def kustomization_faults(document: object) -> Iterator[str]:
    """Every reason to refuse a kustomization."""
    if not isinstance(document, dict):
        yield "is no mapping"
        return
    if odd := sorted(set(map(str, document)) - _KEYS):
        yield f"uses {', '.join(odd)}, which is not allowed"
    for name in _GENERATORS:
        for generator in _mappings(document.get(name)):
            if odd := sorted(set(map(str, generator)) - _GENERATOR_KEYS):
                yield f"{name} uses {', '.join(odd)}, which is not allowed"
    referred = (*sources(document), *files(document))
    if len(referred) > _REFERENCES:
        yield f"refers to {len(referred)} files; {_REFERENCES} are the most"
        return
    for path in referred:
        if not _LOCAL.fullmatch(path) or "//" in path or max(map(len, path.split("/"))) > _LONGEST_NAME:
            yield f"refers to {path[:200]!r}; only files of the commit are allowed"


def is_plain_transformer(document: object) -> bool:
    """Whether a document sets up a transformer that is built in and reads no other file."""
    if not isinstance(document, dict):
        return False
    return document.get("apiVersion") == "builtin" and document.get("kind") in _PLAIN_TRANSFORMERS


def transformers(document: object) -> list[str]:
    """The files that set up transformers."""
    return [str(entry) for entry in _list(document.get("transformers"))] if isinstance(document, dict) else []


def sources(document: Mapping[str, Any]) -> list[str]:
    """The files and folders that it is made of."""
    return [str(entry) for name in _SOURCES for entry in _list(document.get(name))]


def patches(document: Mapping[str, Any]) -> list[str]:
    """The patches that are files."""
    found = [str(entry) for entry in _list(document.get("patchesStrategicMerge")) if "\n" not in str(entry)]
    for name in ("patches", "patchesJson6902"):
        found += [str(entry["path"]) for entry in _mappings(document.get(name)) if entry.get("path")]
    return found


def files(document: Mapping[str, Any]) -> list[str]:
    """The patches and the contents of generated objects that are files."""
    found = patches(document)
    found += [str(entry["path"]) for entry in _mappings(document.get("replacements")) if entry.get("path")]
    for name in _GENERATORS:
        for generator in _mappings(document.get(name)):
            found += [str(entry).partition("=")[2] or str(entry) for entry in _list(generator.get("files"))]
            found += [str(entry) for entry in (*_list(generator.get("envs")), generator.get("env")) if entry]
    return found


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _mappings(value: object) -> list[dict[Any, Any]]:
    return [entry for entry in _list(value) if isinstance(entry, dict)]
