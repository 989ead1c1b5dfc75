"""Every file of ours names its faults with file, line and key, and refuses what says two things."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infraaudit_domain.errors import ConfigurationError
from resources.configuration.document import parse_document
from resources.configuration.gate import read_gate, read_manifest_policy
from resources.configuration.projects import add_project, load_projects, read_projects
from resources.configuration.severities import read_severities
from resources.configuration.suppressions import read_suppressions
from resources.grafana.alerts import read_alert_rules
from tests import ROOT


def suppressions(path: Path) -> object:
    return read_suppressions(path.parent.parent, path.stem)


def alerts(path: Path) -> object:
    return read_alert_rules(path, "x")


GATE = "open: {}\nnew:\n  high: 0\n"
ENTRY = "suppressions:\n- check: C\n  reason: r\n  owner: o\n"
SHOP = "projects:\n- name: shop\n  url: x\n"
RULE = "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n"
CASES: dict[str, tuple[Callable[[Path], object], str, str, int]] = {
    "a limit twice": (read_gate, GATE + "new:\n  high: 9\n", "new: it is given twice, first in line 2", 4),
    "a severity twice": (read_gate, GATE + "  high: 9\n", "new.high: it is given twice", 4),
    "an unknown key": (read_gate, GATE + "nwe: {}\n", "nwe: Extra inputs", 4),
    "an unknown severity": (read_gate, GATE + "  hihg: 1\n", "new.hihg: Input", 4),
    "a limit that is no number": (
        read_gate,
        "open: {}\nnew:\n  high: true\n",
        "new.high: Value error, is no number",
        3,
    ),
    "a check in small letters": (read_gate, GATE + "unskippable_checks: [ckv_aws_1]\n", "unskippable_checks[0]", 4),
    "an age without end": (read_gate, GATE + "max_age_days: {high: 1e400}\n", "max_age_days.high", 4),
    "a grace without end": (read_gate, GATE + "on_new_rules: {grace: .inf}\n", "on_new_rules", 4),
    "a kind of manifests twice": (read_manifest_policy, GATE + "manifests:\n  kinds: [Pod]\n  kinds: []\n", "twice", 6),
    "an anchor of itself": (read_gate, GATE + "max_age_days: &a {low: *a}\n", "it contains itself", 4),
    "no such day": (suppressions, ENTRY + "  expires: 2024-02-30\n", "expires: '2024-02-30' is no value: day", 5),
    "no such month": (suppressions, ENTRY + "  expires: 2024-13-01\n", "expires: '2024-13-01'", 5),
    "no such day in quotes": (suppressions, ENTRY + "  expires: '2024-02-30'\n", "expires: Input should be", 5),
    "a number for a day": (suppressions, ENTRY + "  expires: 86400\n", "must be a day", 5),
    "no such day since": (suppressions, ENTRY + "  expires: 2027-01-01\n  since: 2023-02-29\n", "since", 6),
    "an expiry twice": (suppressions, ENTRY + "  expires: 2024-01-01\n  expires: 2099-01-01\n", "twice", 6),
    "an expiry that is missing": (suppressions, ENTRY, "expires: Field required", 2),
    "no such tag": (suppressions, ENTRY + "  expires: !!timestamp soon\n", "'soon' is no value", 5),
    "a url twice": (read_projects, SHOP + "  url: y\n", "projects[0].url: it is given twice", 4),
    "a path twice": (read_projects, SHOP + "  paths:\n    tests: a\n    tests: b\n", "projects[0].paths.tests", 6),
    "projects twice": (load_projects, SHOP + SHOP, "projects: it is given twice", 4),
    "a key that is a list": (read_projects, SHOP + "  ? [a]\n  : b\n", "a key must be a plain value", 4),
    "an alert twice": (alerts, RULE + "    expr: down\n", "expr: it is given twice", 6),
    "an alert with a key that is none": (alerts, RULE + "    exrp: down\n", "exrp: Extra", 6),
    "a check twice": (read_severities, "check_id,severity\nA,low\nB,low\n A,high\n", "line 4 names A again", 4),
    "a severity that is none": (read_severities, "check_id,severity\nA,awful\n", "line 2: 'awful'", 2),
    "an open quote": (read_severities, 'check_id,severity\nA,low\n"B,low\n', "line 3 is no CSV", 3),
    "a NUL": (read_severities, "check_id,severity\nA,lo\0w\n", "line 2", 2),
    "no YAML": (read_gate, GATE + "manifests: {\n", "is no YAML", 5),
    "two documents": (read_gate, GATE + "---\nopen: {}\n", "single document", 4),
    "a control character": (read_projects, SHOP + "  registry: a\x01\n", "control character", 4),
    "an alias of nothing": (read_projects, SHOP + "  registry: *x\n", "undefined alias", 4),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fault_names_file_line_and_key(tmp_path: Path, case: str) -> None:
    read, text, words, line = CASES[case]
    path = tmp_path / "suppressions/shop.yaml"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read(path)
    said = str(caught.value)
    assert str(path) in said and words in said and f"line {line}" in said, said


@pytest.mark.parametrize("read", [read_gate, read_projects, read_severities, suppressions, alerts])
def test_what_is_no_text_names_its_line(tmp_path: Path, read: Callable[[Path], object]) -> None:
    path = tmp_path / "suppressions/shop.yaml"
    path.parent.mkdir()
    path.write_bytes(b"check_id,severity\nA,\xff\n")
    with pytest.raises(ConfigurationError, match=f"{path} cannot be read: line 2 is no UTF-8"):
        read(path)


def test_all_faults_are_listed_at_once_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "suppressions/shop.yaml"
    path.parent.mkdir()
    path.write_text(ENTRY + "  expires: 2024-02-30\n  owner: p\n  reason: s\n")
    with pytest.raises(ConfigurationError) as caught:
        suppressions(path)
    assert [line.split("(")[-1] for line in str(caught.value).splitlines()[1:]] == ["line 5)", "line 6)", "line 7)"]


def test_a_projects_own_faults_stop_that_project_alone(tmp_path: Path) -> None:
    path = tmp_path / "projects.yaml"
    path.write_text(
        SHOP + "  url: y\n- name: books\n  url: z\n- name: late\n  url: z\n  first_commits: 2024-02-30\n  x: 1\n"
    )
    shop, books, late = load_projects(path)
    assert "projects[0].url: it is given twice, first in line 3 (line 4)" in shop.fault
    assert not books.fault and books.name == "books"
    assert late.name == "late" and "(line 9)" in late.fault and "(line 10)" in late.fault
    assert late.fault.count("first_commits") == 1
    with pytest.raises(ConfigurationError, match="given twice"):
        add_project(path, "new", "u")


def value(text: str) -> Any:
    document = parse_document(Path("x.yaml"), text, "file")
    assert not document.faults
    return document.value


def test_what_is_right_means_what_yaml_says() -> None:
    text = (
        "a: &x {p: 1, q: [1, 2.5, yes, null, 2024-02-29]}\nb: {<<: *x, p: 2}\nc: [*x, *x]\nd: |\n  text\n? e\n: 'f'\n"
    )
    import yaml

    assert value(text) == yaml.safe_load(text)
    assert value("") is None and value("\ufeff- a") == ["a"]
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    assert len(value(bomb)) == 30
    with pytest.raises(ConfigurationError, match="nested too deeply"):
        value("[" * 5000 + "]" * 5000)


def test_the_shipped_files_are_right() -> None:
    assert read_gate(ROOT / "configs/gate.yaml") and read_severities(ROOT / "scanner/severities.csv")
    for name in ("configs/projects.yaml", "configs/projects-own.yaml", "docker/projects.yaml"):
        assert read_projects(ROOT / name)
    assert read_alert_rules(ROOT / "configs/prometheus/rules.yml", "x")
