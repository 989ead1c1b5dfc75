"""Why a file that was expected is among those that a runner did not read: asked of Checkov's parsers, in the child."""

import json
import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from resources.checkov.reading.proof import Proof

_MOST_ASKED = 200
_FILLED_IN_LATER = re.compile(r"\{\{-?\s*\.(?:Release|Values)\.")
_LONGEST = 300


def reasons(runner: Any, root: str, expected: Sequence[str], proof: Proof) -> dict[str, str]:
    """By path: what the parser says of files of which nothing was read, and of manifests that no check is asked about."""
    read = {path.removeprefix(root).lstrip("/") for path, parts in proof.read.items() if parts is None or parts}
    unread = [path for path in expected if path not in read][:_MOST_ASKED]
    found = {path: " ".join(_asked(runner, proof.framework, f"{root}/{path}").split())[:_LONGEST] for path in unread}
    unfilled = {path.removeprefix(root).lstrip("/"): reason for path, reason in proof.unfilled.items()}
    return {**_nameless(runner, root, proof), **{path: reason for path, reason in found.items() if reason}, **unfilled}


def _nameless(runner: Any, root: str, proof: Proof) -> dict[str, str]:
    """Files with manifests that are parsed and get no verdict, since no name tells them apart."""
    if proof.framework != "kubernetes":
        return {}
    name_of = import_module("checkov.kubernetes.kubernetes_utils").get_resource_id
    without = (
        path for path, manifests in (runner.definitions or {}).items()
        if any(isinstance(one, dict) and not name_of(one) for one in manifests)
    )  # fmt: skip
    return {path.removeprefix(root).lstrip("/"): "Checkov checks no manifest without a name" for path in without}


def _asked(runner: Any, framework: str, path: str) -> str:
    try:
        return _reason(runner, framework, path)
    except Exception as error:
        if isinstance(error, json.JSONDecodeError):
            return f"it is no JSON: {error}"
        is_yaml = type(error).__module__.startswith("yaml.")
        return f"it is no YAML: {error}" if is_yaml else f"{type(error).__name__}: {error}"


def _reason(runner: Any, framework: str, path: str) -> str:
    if framework == "secrets":
        return _of_a_path(path) or _of_no_text(path)
    if path.endswith(".tofu"):
        return "Checkov reads no files of OpenTofu"
    if framework == "terraform":
        return str(runner.graph_manager.parser.out_parsing_errors.get(path, ""))
    text = Path(path).read_text("utf-8")
    if framework == "bicep":
        import_module("checkov.bicep.parser").BicepParser(add_line_numbers=True).parse(text=text)
        return ""
    if path.endswith(".json"):
        json.loads(text)
    if framework == "cloudformation":
        return _of_a_template(path)
    if framework == "openapi":
        return "Checkov takes a file for OpenAPI where its first document has a section info"
    if not path.endswith((".yaml", ".yml")):
        return ""
    if framework == "ansible" and not import_module("checkov.ansible.utils").get_relevant_file_content(path):
        return "Checkov takes a file for a playbook where one of its tasks has a name"
    if framework == "kubernetes" and _FILLED_IN_LATER.search(text):
        return "words of a Helm template stand in it, and Checkov skips such files"
    documents = _documents(text)
    if framework == "kubernetes":
        return _of_manifests(documents)
    if framework == "github_actions":
        return "it does not match the schema of workflows"
    return ""


def _of_a_path(path: str) -> str:
    """Checkov leaves out every path in which one of these words stands anywhere; ``mygitlab.git-ci/`` for ``.git``."""
    left_out = import_module("checkov.secrets.utils").EXCLUDED_PATHS
    word = next((word for word in left_out if word in path), None)
    return f"Checkov searches no path with {word!r} in it for secrets" if word else ""


def _of_no_text(path: str) -> str:
    try:
        Path(path).read_text("utf-8")
    except UnicodeDecodeError:
        return "it is no text in UTF-8, and Checkov searches no other for secrets"
    return ""


def _documents(text: str) -> list[Any]:
    import yaml

    return list(yaml.load_all(text, Loader=yaml.SafeLoader))


def _of_a_template(path: str) -> str:
    reader = import_module("checkov.cloudformation.parser.cfn_yaml")
    template, _ = reader.load(path, reader.ContentType.CFN)
    resources = template.get("Resources") if isinstance(template, dict) else None
    if not isinstance(resources, dict):
        return "its Resources are no mapping of names to resources"
    utils = import_module("checkov.cloudformation.cfn_utils")
    is_usable = utils.validate_properties_in_resources_are_dict(template)
    return "" if is_usable else "the names of some resources have a dot, or their Properties are no mapping"


def _of_manifests(documents: Sequence[Any]) -> str:
    from checkov.kubernetes.parser.validatior import K8sValidator

    verdicts = [K8sValidator.is_valid_template(document) for document in documents if document]
    return "; ".join(reason for is_valid, reason in verdicts if not is_valid)
