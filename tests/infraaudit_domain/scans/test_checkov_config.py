"""What a commit may configure in Checkov; severities; keys of reuse."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.commits import TreeEntry
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.scans.checkov_config import DEFAULT_FRAMEWORKS, CheckovConfig, read_config
from infraaudit_domain.scans.findings import Severity
from infraaudit_domain.scans.scan_key import blob_facts, readable, scan_key
from infraaudit_domain.scans.severity import parse_severities


def test_no_file_is_the_default_without_a_warning() -> None:
    assert read_config(None) == (CheckovConfig(), ())
    assert "helm" not in DEFAULT_FRAMEWORKS and "sca_image" not in DEFAULT_FRAMEWORKS


def test_the_allowed_keys_are_honoured() -> None:
    config, warnings = read_config(
        {"framework": ["terraform", "dockerfile"], "skip-check": "CKV_AWS_1,CKV_AWS_2", "skip_path": ["tests/.*"]}
    )
    assert config == CheckovConfig(("dockerfile", "terraform"), (), ("CKV_AWS_1", "CKV_AWS_2"), ("tests/.*",))
    assert warnings == ()


@pytest.mark.parametrize(
    "key", ["external-checks-dir", "external-checks-git", "download-external-modules", "output-file-path", "bc-api-key"]
)
def test_dangerous_keys_are_ignored_with_a_warning(key: str) -> None:
    config, warnings = read_config({key: "x"})
    assert config == CheckovConfig()
    assert len(warnings) == 1 and key in warnings[0]


def test_frameworks_that_start_programs_are_not_run() -> None:
    config, warnings = read_config({"framework": ["helm", "terraform", "nonsense"]})
    assert config.frameworks == ("terraform",)
    assert len(warnings) == 2 and "helm" in warnings[0]


def test_options_cannot_be_smuggled_in_as_checks() -> None:
    config, warnings = read_config({"check": ["--external-checks-dir=x", "CKV_AWS_1"], "skip-check": "HIGH"})
    assert (config.checks, config.skip_checks) == (("CKV_AWS_1",), ())
    assert len(warnings) == 2


def test_a_check_that_is_asked_for_and_skipped_is_skipped() -> None:
    config, warnings = read_config({"check": "CKV_AWS_1", "skip-check": "CKV_AWS_1"})
    assert (config.checks, config.skip_checks) == ((), ("CKV_AWS_1",))
    assert warnings


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from(["framework", "check", "skip-check", "skip-path", "x"]), json_like) | json_like)
def test_whatever_a_commit_writes_there_is_a_configuration(document: Any) -> None:
    config, _ = read_config(document)
    assert set(config.frameworks) <= set(DEFAULT_FRAMEWORKS)
    assert not any(value.startswith("-") for value in config.checks + config.skip_checks)


def test_severities_are_read_and_overridden() -> None:
    table = parse_severities("check_id,severity\nCKV_A,high\nCKV_B,Low\n", {"CKV_B": "critical"})
    assert table == {"CKV_A": Severity.HIGH, "CKV_B": Severity.CRITICAL}


def test_every_fault_of_a_severity_table_is_reported() -> None:
    with pytest.raises(ConfigurationError, match=r"(?s)line 2.*line 3.*override"):
        parse_severities("check_id,severity\nCKV_A,awful\nCKV_B\n", {"X": "?"})


def entry(path: str, blob: str = "1") -> TreeEntry:
    return TreeEntry("100644", blob, 1, path)


def test_a_framework_without_files_reads_nothing() -> None:
    entries = [entry("main.tf"), entry("readme.md")]
    assert readable("dockerfile", entries, {}) == []
    assert readable("terraform", entries, {}) == [entries[0]]
    assert readable("serverless", entries, {}) == []
    assert readable("serverless", [*entries, entry("a/serverless.yml")], {})[:2] == entries


def test_words_narrow_what_is_read_and_hidden_words_do_not() -> None:
    entries = [entry("a.yaml", "pod"), entry("b.yaml", "list"), entry("c.yaml", "escape"), entry("d.yaml", "utf16")]
    texts = {"pod": b"apiVersion: v1\nkind: Pod", "list": b"- 1", "escape": b'"\\x61piVersion": v1'}
    facts = {name: blob_facts(text) for name, text in {**texts, "utf16": "kind: Pod".encode("utf-16")}.items()}
    assert [e.path for e in readable("kubernetes", entries, facts)] == ["a.yaml", "c.yaml", "d.yaml"]
    assert readable("kubernetes", [entry("new.yaml", "unknown")], facts)
    assert [e.path for e in readable("kubernetes", entries, facts, ["b.yaml"])][:2] == ["a.yaml", "b.yaml"]


def test_a_key_changes_with_everything_that_a_result_depends_on() -> None:
    key = scan_key("terraform", [entry("a.tf"), entry("b.tf", "2")], "v1", ((), (), ()))
    assert key == scan_key("terraform", [entry("b.tf", "2"), entry("a.tf")], "v1", ((), (), ()))
    others = {
        scan_key("secrets", [entry("a.tf"), entry("b.tf", "2")], "v1", ((), (), ())),
        scan_key("terraform", [entry("a.tf", "2"), entry("b.tf")], "v1", ((), (), ())),
        scan_key("terraform", [entry("a.tf"), entry("c.tf", "2")], "v1", ((), (), ())),
        scan_key("terraform", [entry("a.tf"), entry("b.tf", "2")], "v2", ((), (), ())),
        scan_key("terraform", [entry("a.tf"), entry("b.tf", "2")], "v1", (("CKV_AWS_1",), (), ())),
    }
    assert key not in others and len(others) == 5
