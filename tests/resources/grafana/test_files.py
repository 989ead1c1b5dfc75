"""The files that a Grafana reads at its start: as generated, as Grafana takes them, and their rules on a real Prometheus."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from resources.grafana.files import DATASOURCE, provisioning_files
from tests import ROOT
from tests.service.test_prometheus import promtool

CONFIGS = ROOT / "configs"
PROMETHEUS = CONFIGS / "prometheus"
FILES = {path: yaml.safe_load(text) for path, text in provisioning_files(PROMETHEUS / "rules.yml").items()}
FIELDS = yaml.safe_load(Path(__file__).with_name("provisioning_fields.yaml").read_text())
GROUP = FILES["alerting/rules.yaml"]["groups"][0]
TYPES: Mapping[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str) and bool(value.strip()),
    "uid": lambda value: re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", value) is not None,
    "int": lambda value: type(value) is int,
    "bool": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list) and bool(value),
    "map": lambda value: isinstance(value, dict) and all(isinstance(key, str) for key in value),
    "duration": lambda value: re.fullmatch(r"(\d+(ms|[smhdwy]))+", value) is not None,
    "range": lambda value: value.keys() == {"from", "to"} and value["from"] > value["to"] >= 0,
    "state": lambda value: value in ("OK", "Alerting", "NoData", "Error", "KeepLast"),
}


def faults(thing: Mapping[str, Any], kind: str, fields: Mapping[str, str]) -> list[str]:
    needed = {name for name, type_ in fields.items() if type_.startswith("!")}
    wrong = [f"{kind}: {name} is missing" for name in needed - thing.keys()]
    wrong += [f"{kind}: {name} is unknown" for name in thing.keys() - fields.keys()]
    checked = thing.keys() & fields.keys()
    return wrong + [f"{kind}: {name} is no {type_}" for name in checked if not TYPES[type_ := fields[name].lstrip("!")](thing[name])]  # fmt: skip


def things(files: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str, Mapping[str, str]]]:
    """Everything in some files, with the fields that it may have."""
    lists = {"groups": "group", "contactPoints": "contactPoint", "policies": "policy", "datasources": "datasource", "providers": "provider"}  # fmt: skip
    for file in files.values():
        for name, kind in lists.items():
            yield from ((one, kind, FIELDS[kind]) for one in file.get(name, []))
        for group in file.get("groups", []):
            yield from ((rule, "rule", FIELDS["rule"]) for rule in group["rules"])
            yield from ((query, "query", FIELDS["query"]) for rule in group["rules"] for query in rule["data"])
        for contact in file.get("contactPoints", []):
            yield from ((one, "receiver", FIELDS["receiver"]) for one in contact["receivers"])
            yield from ((one["settings"], "settings", FIELDS["settings"][one["type"]]) for one in contact["receivers"])


def test_the_committed_files_are_the_generated_ones() -> None:
    committed = {str(path.relative_to(CONFIGS / "grafana")): path.read_text() for path in (CONFIGS / "grafana").rglob("*.yaml")}  # fmt: skip
    assert committed == provisioning_files(PROMETHEUS / "rules.yml"), "stale: python -m resources.grafana.files"


def test_grafana_knows_every_field_and_misses_none() -> None:
    assert {file["apiVersion"] for file in FILES.values()} == {1}
    found = list(things(FILES))
    assert len({kind for _, kind, _ in found}) == 9
    assert [fault for thing in found for fault in faults(*thing)] == []
    broken = json.loads(json.dumps(GROUP["rules"][0])) | {"for": "soon", "uid": "x" * 41, "alert": "no"}
    del broken["title"]
    assert len(faults(broken, "rule", FIELDS["rule"])) == 4


def test_names_fit_together_and_each_is_there_once() -> None:
    rules = GROUP["rules"]
    assert len({rule["uid"] for rule in rules}) == len({rule["title"] for rule in rules}) == len(rules) >= 15
    assert all(rule["condition"] in {query["refId"] for query in rule["data"]} for rule in rules)
    uids = {source["uid"] for source in FILES["datasources/infraaudit.yaml"]["datasources"]} | {"__expr__"}
    assert {query["datasourceUid"] for rule in rules for query in rule["data"]} == {DATASOURCE, "__expr__"} < uids
    contacts = [
        FILES[f"{folder}/contact-points.yaml"]["contactPoints"][0] for folder in ("alerting", "with-alertmanager")
    ]
    assert {contact["name"] for contact in contacts} == {FILES["alerting/policies.yaml"]["policies"][0]["receiver"]}


def test_alertmanager_and_grafana_group_and_repeat_alike() -> None:
    policy = FILES["alerting/policies.yaml"]["policies"][0]
    route = yaml.safe_load((PROMETHEUS / "alertmanager.yml").read_text())["route"]
    assert {**policy, "orgId": None, "receiver": None} == {**route, "orgId": None, "receiver": None}


def test_an_alertmanager_gets_an_alert_of_grafana_again_before_it_takes_it_as_over() -> None:
    """Grafana sends no end of an alert, and each only once in a repeat_interval."""
    policy, own = (FILES[f"{folder}/policies.yaml"]["policies"][0] for folder in ("with-alertmanager", "alerting"))
    intervals = {name: policy[name] for name in ("group_interval", "repeat_interval")}
    resolve_timeout_minutes = 5  # Alertmanager's default, which ours keeps.
    assert "global" not in yaml.safe_load((PROMETHEUS / "alertmanager.yml").read_text())
    assert all(2 * int(value.removesuffix("m")) < resolve_timeout_minutes for value in intervals.values())
    assert policy == own | intervals


def strings(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every string of a file, with the nearest key whose text Grafana keeps as it is."""
    if isinstance(value, str):
        yield name, value
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from strings(one, str(key) if key in FIELDS["verbatim"] else name)


def test_grafana_replaces_our_variables_and_nothing_else() -> None:
    """A stray $ would become empty text: https://grafana.com/docs, "Template variable interpolation"."""
    found = [pair for file in FILES.values() for pair in strings(file)]
    variables = {text for name, text in found if not name and "$" in text}
    assert variables == {f"$INFRAAUDIT_{name}_URL" for name in ("ALERT", "ALERTMANAGER", "PROMETHEUS")}
    assert any("{{ $labels.project }}" in text for name, text in found if name == "annotations")
    assert not [text for name, text in found if name == "annotations" and "${" in text]


@pytest.mark.slow
def test_every_rule_of_grafana_fires_and_stays_quiet_on_prometheus_as_the_rule_it_was_made_from(
    needs: Callable[[str], None], tmp_path: Path
) -> None:
    needs("promtool")
    rules = [_of_prometheus(rule) for rule in GROUP["rules"]]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "grafana", "rules": rules}]}))
    tests = yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text())
    cases = [case for test in tests["tests"] for case in test["alert_rule_test"]]
    for test in tests["tests"]:
        test.pop("promql_expr_test", None)  # A Grafana records nothing.
    firing, quiet = (
        {case["alertname"] for case in cases if bool(case["exp_alerts"]) is fires} for fires in (True, False)
    )
    names = {rule["alert"] for rule in rules}
    assert (names - firing, names - quiet) == (set(), set())
    (tmp_path / "rules_test.yml").write_text(yaml.safe_dump(tests))
    done = promtool("test", "rules", "rules_test.yml", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def _of_prometheus(rule: dict[str, Any]) -> dict[str, Any]:
    asked, fires = rule["data"]
    assert fires["model"] == {"refId": "B", "type": "math", "expression": "is_number($A)"}
    annotations = {name: text.replace("$values.A.Value", "$value") for name, text in rule["annotations"].items()}
    return {"alert": rule["title"], "expr": asked["model"]["expr"], "for": rule["for"], "labels": rule["labels"]} | {
        "annotations": annotations
    }
