"""Load a rule of the operator's own into the registries of graph checks, inside the limited child of one scan."""

import json
from collections.abc import Iterable
from typing import Any


def load(text: str, runners: Iterable[Any]) -> None:
    """Have these runners run a policy. Raises ValueError where Checkov does not take it, or has a check of its id."""
    from checkov.common.checks_infra.checks_parser import GraphCheckParser
    from checkov.common.checks_infra.resources_types import resources_types
    from checkov.runner_filter import RunnerFilter

    policy, parser = json.loads(text), GraphCheckParser()
    identifier = policy["metadata"]["id"]
    if not parser.validate_check_config(file_path="the rule", raw_check=policy):
        raise ValueError(f"Checkov does not take the rule {identifier}: it is not of the form that it documents")
    provider = str((policy.get("scope") or {}).get("provider", "")).lower()
    registries = {id(registry): registry for registry in map(_registry, runners) if registry is not None}
    for registry in registries.values():
        if any(check.id == identifier for check in registry.checks):
            raise ValueError(f"Checkov has a check {identifier} of its own; give the rule another id")
        check = parser.parse_raw_check(policy, resources_types=resources_types.get(provider), check_path="the rule")
        registry.checks.append(check)
    RunnerFilter.notify_external_check(identifier)


def _registry(runner: Any) -> Any:
    return getattr(runner, "graph_registry", None)
