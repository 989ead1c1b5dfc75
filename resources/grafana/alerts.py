"""Convert the alert rules of configs/prometheus/rules.yml to Grafana's, for sites without an Alertmanager: one source
for both.

Deliberately absent: sending them (resources/grafana/client.py).
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from infraaudit_domain.errors import ConfigurationError
from resources.configuration.document import read_document

EVERY_SECONDS = 60
_MINUTES_READ = 600


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)


class _Rule(_Entry):
    expr: str
    alert: str | None = None
    record: str | None = None
    for_: Annotated[str, Field(alias="for", serialization_alias="for")] = "0s"
    keep_firing_for: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}

    @model_validator(mode="after")
    def _is_one_of_the_two(self) -> Self:
        if bool(self.alert) == bool(self.record):
            raise ValueError("name it with alert or with record")
        return self


class _Group(_Entry):
    name: str
    interval: str | None = None
    rules: tuple[_Rule, ...]


class _File(_Entry):
    groups: tuple[_Group, ...]


def read_alert_rules(path: Path, datasource: str) -> list[dict[str, Any]]:
    """Rules as Grafana's provisioning API takes them, over one Prometheus data source. Raises ConfigurationError."""
    try:
        file = read_document(path, "alert rules").validate(_File, "alert rules")
    except FileNotFoundError as error:
        raise ConfigurationError(f"There are no alert rules {path}. Restore the file.") from error
    rules = [rule for group in file.groups for rule in group.rules]
    recorded = {rule.record: rule.expr for rule in rules if rule.record}
    return [_rule(rule.model_dump(by_alias=True), recorded, datasource) for rule in rules if rule.alert]


def _rule(rule: Mapping[str, Any], recorded: Mapping[str, str], datasource: str) -> dict[str, Any]:
    expression = _without_recorded(rule["expr"], recorded.items())
    asked = {"refId": "A", "expr": expression, "instant": True, "range": False}
    # The expression contains the comparison: any value that it returns, even 0, is a reason to alert.
    fires = {"refId": "B", "type": "math", "expression": "is_number($A)"}
    return {
        "uid": f"infraaudit-{rule['alert'].lower()}"[:40],
        "title": rule["alert"],
        "condition": "B",
        "data": [_query(asked, datasource), _query(fires, "__expr__")],
        "noDataState": "OK",
        "execErrState": "Error",
        "for": str(rule.get("for", "0s")),
        "labels": dict(rule.get("labels", {})),
        "annotations": {name: _template(text) for name, text in rule["annotations"].items()},
    }


def _query(model: dict[str, Any], datasource: str) -> dict[str, Any]:
    return {
        "refId": model["refId"],
        "datasourceUid": datasource,
        "relativeTimeRange": {"from": _MINUTES_READ, "to": 0},
        "model": model,
    }


def _without_recorded(expression: str, recorded: Iterable[tuple[str, str]]) -> str:
    """A Prometheus that has not loaded rules.yml records nothing."""
    for name, replacement in recorded:
        expression = expression.replace(name, f"({replacement.strip()})")
    return expression.strip()


def _template(text: str) -> str:
    """Prometheus' $value is a number; Grafana's is a description of every query's result."""
    return re.sub(r"\$value\b", "$values.A.Value", text)
