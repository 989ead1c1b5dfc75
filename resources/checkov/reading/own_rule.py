"""Load a rule of the operator's own into the registries of graph checks, inside the limited child of one scan."""

import json
from collections.abc import Collection
from typing import Any


def fault(text: str) -> str:
    """Why Checkov does not take a policy; empty where it does."""
    try:
        load(text)
    except Exception as error:
        return f"{error or type(error).__name__}"[:600]
    return ""


def load(text: str, frameworks: Collection[str] = ()) -> None:
    """Have the runners of some frameworks, or of all, run a policy.

    Raises ValueError where one has a check of its id, and whatever Checkov's parser raises where it does not take it.
    """
    import checkov.main as checkov
    from checkov.common.checks_infra.checks_parser import GraphCheckParser
    from checkov.common.checks_infra.resources_types import resources_types
    from checkov.runner_filter import RunnerFilter

    policy, parser = json.loads(text), GraphCheckParser()
    identifier = policy["metadata"]["id"]
    if not parser.validate_check_config(file_path="the rule", raw_check=policy):
        raise ValueError("it is not of the form that Checkov documents for its YAML policies")
    provider = str((policy.get("scope") or {}).get("provider", "")).lower()
    wanted = (runner for runner in checkov.DEFAULT_RUNNERS if not frameworks or runner.check_type in frameworks)
    for registry in {id(each): each for each in map(_registry, wanted) if each is not None}.values():
        if any(check.id == identifier for check in registry.checks):
            raise ValueError(f"Checkov has a check {identifier} of its own; give the rule another id")
        registry.checks.append(
            parser.parse_raw_check(policy, resources_types=resources_types.get(provider), check_path="the rule")
        )
    RunnerFilter.notify_external_check(identifier)


def _registry(runner: Any) -> Any:
    return getattr(runner, "graph_registry", None)
