"""What a framework of Checkov can read of a tree, and the key under which its result may be used again.

Every rule is wider than what Checkov does, never narrower: first by name, then, for formats that Checkov recognises
by words in the text, by those words. Text in which a word may hide (escapes, other encodings) counts as relevant to
every framework. Deliberately absent: a key for a part of a tree, which is not sound where checks cross files.
"""

import hashlib
import json
import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from infraaudit_domain.commits import TreeEntry

_YAML = (".yaml", ".yml")
_DATA = (".json", *_YAML)
_TERRAFORM = (".tf", ".tfvars", ".hcl", ".tofu", ".tfvars.json", ".tf.json", ".tofu.json")

_DOCKERFILE = re.compile(r"ockerfile|ontainerfile", re.IGNORECASE)
_NAMES: Mapping[str, Callable[[str], bool]] = {
    "ansible": lambda path: path.endswith(_YAML),
    "argo_workflows": lambda path: path.endswith(_YAML),
    "arm": lambda path: path.endswith(".json"),
    "azure_pipelines": lambda path: path.endswith(("azure-pipelines.yml", "azure-pipelines.yaml")),
    "bicep": lambda path: path.endswith(".bicep"),
    "bitbucket_pipelines": lambda path: path.endswith(("bitbucket-pipelines.yml", "bitbucket-pipelines.yaml")),
    "circleci_pipelines": lambda path: ".circleci" in path and path.endswith(_YAML),
    "cloudformation": lambda path: path.endswith((*_DATA, ".template")),
    "dockerfile": lambda path: _DOCKERFILE.search(posixpath.basename(path)) is not None,
    "github_actions": lambda path: ".github" in path and path.endswith(("yml", "yaml")),
    "gitlab_ci": lambda path: path.endswith((".gitlab-ci.yml", ".gitlab-ci.yaml")),
    "kubernetes": lambda path: path.endswith(_DATA),
    "openapi": lambda path: path.endswith(_DATA),
    "secrets": lambda path: (
        path.endswith((*_DATA, ".tf", ".template", ".bicep", ".hcl")) or "ockerfile" in posixpath.basename(path)
    ),
    "terraform": lambda path: path.endswith(_TERRAFORM) or posixpath.basename(path) == "modules.json",
    "terraform_json": lambda path: path.endswith((".tf.json", ".tofu.json")),
    "terraform_plan": lambda path: path.endswith(".json"),
}
_WORDS: Mapping[str, tuple[tuple[bytes, ...], ...]] = {
    "ansible": ((b"name:",),),
    "argo_workflows": ((b"argoproj.io",),),
    "arm": ((b"$schema", b"contentVersion"),),
    "cloudformation": ((b"Resources",),),
    "kubernetes": ((b"apiVersion", b"kind"),),
    "openapi": ((b"swagger",), (b"openapi",)),
    "terraform_plan": ((b"terraform_version",),),
}
_DISGUISES = re.compile(rb"\\[xuU\r\n]|\x00|\xef\xbb\xbf")
"""Escapes and line folds that may spell a word, and signs of another encoding."""


@dataclass(frozen=True, slots=True)
class BlobFacts:
    """Which frameworks a blob's text may concern."""

    relevant_to: frozenset[str]
    """Of the frameworks that recognise their files by words: those that may take this one."""


EVERYONE = BlobFacts(frozenset(_WORDS))


def blob_facts(content: bytes) -> BlobFacts:
    """Which frameworks may recognise a text as theirs."""
    return EVERYONE if _DISGUISES.search(content) or not _is_utf8(content) else BlobFacts(_recognising(content))


def is_recognised_by_words(path: str) -> bool:
    """Whether the facts of this file's blob matter to any key."""
    return path.endswith((*_DATA, ".template"))


def may_read(framework: str, path: str) -> bool:
    """Whether a framework opens a file of this name at all, in a tree that concerns it."""
    known = _NAMES.get(framework)
    return known is None or known(path)


def concerned(frameworks: Iterable[str], paths: Iterable[str]) -> tuple[str, ...]:
    """Those frameworks that may read a tree of these names: a serverless.yml may include any file, nothing else does."""
    return tuple(name for name in frameworks if name != "serverless" or any(map(_is_serverless, paths)))


def readable(
    framework: str, entries: Iterable[TreeEntry], facts: Mapping[str, BlobFacts], expected: Collection[str] = ()
) -> list[TreeEntry]:
    """The files of a tree that can change what a framework says, by ``facts`` of their blobs; ``expected`` are paths
    of those that it should read, whether it does or not."""
    files = [entry for entry in entries if entry.is_file]
    if not concerned([framework], (entry.path for entry in files)):
        return []
    by_words = framework in _WORDS
    return [
        entry
        for entry in files
        if may_read(framework, entry.path)
        and (not by_words or framework in facts.get(entry.blob, EVERYONE).relevant_to or entry.path in expected)
    ]


def scan_key(framework: str, files: Iterable[TreeEntry], versions: str, filters: object) -> str:
    """The digest of everything that a framework's result depends on: equal keys, equal results."""
    read = sorted((entry.path, entry.blob) for entry in files)
    text = json.dumps([framework, versions, filters, read], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _recognising(content: bytes) -> frozenset[str]:
    return frozenset(
        framework
        for framework, alternatives in _WORDS.items()
        if any(all(word in content for word in words) for words in alternatives)
    )


def _is_serverless(path: str) -> bool:
    return posixpath.basename(path).startswith("serverless.")


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
