"""Why a file that was expected is among those that a runner did not read: asked of Checkov's parsers, in the child."""

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from resources.checkov.proof import Proof

_MOST_ASKED = 200
_FILLED_IN_LATER = re.compile(r"\{\{-?\s*\.(?:Release|Values)\.")
_LONGEST = 300


def reasons(runner: Any, root: str, expected: Sequence[str], proof: Proof) -> dict[str, str]:
    """By path: what the parser says of files of which nothing was read; those of which it says nothing are left out."""
    read = {path.removeprefix(root).lstrip("/") for path, parts in proof.read.items() if parts is None or parts}
    found: dict[str, str] = {}
    for path in [path for path in expected if path not in read][:_MOST_ASKED]:
        try:
            found[path] = " ".join(_reason(runner, proof.framework, f"{root}/{path}").split())[:_LONGEST]
        except Exception as error:
            found[path] = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST]
    return {path: reason for path, reason in found.items() if reason}


def _reason(runner: Any, framework: str, path: str) -> str:
    if framework == "terraform":
        return str(runner.graph_manager.parser.out_parsing_errors.get(path, ""))
    text = Path(path).read_text("utf-8")
    if framework == "bicep":
        import_module("checkov.bicep.parser").BicepParser(add_line_numbers=True).parse(text=text)
        return ""
    if not path.endswith((".yaml", ".yml")):
        return ""
    documents = _documents(text)
    if framework == "kubernetes":
        return _of_manifests(text, documents)
    if framework == "github_actions":
        return "it does not match the schema of workflows"
    return ""


def _documents(text: str) -> list[Any]:
    import yaml

    return list(yaml.load_all(text, Loader=yaml.SafeLoader))


def _of_manifests(text: str, documents: Sequence[Any]) -> str:
    from checkov.kubernetes.parser.validatior import K8sValidator

    if _FILLED_IN_LATER.search(text):
        return "a word of a Helm template stands in it, and Checkov skips such files"
    verdicts = [K8sValidator.is_valid_template(document) for document in documents if document]
    return "; ".join(reason for is_valid, reason in verdicts if not is_valid)
