"""Whose an object in a cluster is, by what it carries, and how the fields that we applied change hands.

Every release marks its objects with its project (a label) and its environment (an annotation), and applies them under a
field manager of the project. Versions before that had one manager for all projects. Deliberately absent: asking a
cluster (resources/targets/cluster/owners.py).
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infraaudit_domain.kubernetes.fields import mapping

PROJECT, ENVIRONMENT = "infraaudit/project", "infraaudit/environment"
_FORMER_MANAGER = "infraaudit"
_APPLY = "Apply"


def field_manager(project: str) -> str:
    """Under which name a project's releases are applied."""
    return f"infraaudit/{project}"


@dataclass(frozen=True, slots=True)
class Owner:
    """The project and environment that an object names; empty where it names none."""

    project: str = ""
    environment: str = ""

    def is_of(self, project: str, environment: str) -> bool:
        """Whether it is that environment's. One that somebody labelled by hand may name the project alone."""
        return self.project == project and self.environment in ("", environment)

    def __str__(self) -> str:
        if not self.project:
            return "no project of InfraAudit brought it"
        return f"it is of {self.project}" + (f" in {self.environment}" if self.environment else "")


def owner_of(live: Mapping[str, Any]) -> Owner:
    """Whose an object is that is there."""
    metadata = mapping(live.get("metadata"))
    project = mapping(metadata.get("labels")).get(PROJECT)
    environment = mapping(metadata.get("annotations")).get(ENVIRONMENT)
    return Owner(str(project or ""), str(environment or ""))


def handed_over(managed: Sequence[Mapping[str, Any]], project: str) -> list[dict[str, Any]] | None:
    """The ``managedFields`` of an object with what our former manager applied under the project's own; None where there
    is nothing to change."""
    former = [entry for entry in managed if _is_applied_by(entry, _FORMER_MANAGER)]
    if not former:
        return None
    own = [entry for entry in managed if _is_applied_by(entry, field_manager(project))]
    others = [copy.deepcopy(dict(entry)) for entry in managed if entry not in former and entry not in own]
    merged = copy.deepcopy(dict((own or former)[0])) | {"manager": field_manager(project)}
    for entry in (*own, *former):
        merged["fieldsV1"] = _union(mapping(merged.get("fieldsV1")), mapping(entry.get("fieldsV1")))
    return [*others, merged]


def _is_applied_by(entry: Mapping[str, Any], manager: str) -> bool:
    return entry.get("manager") == manager and entry.get("operation") == _APPLY and not entry.get("subresource")


def _union(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    names = {*one, *other}
    return {
        name: _union(mapping(one.get(name)), mapping(other.get(name)))
        if name in one and name in other
        else copy.deepcopy(one.get(name, other.get(name)))
        for name in sorted(names)
    }
