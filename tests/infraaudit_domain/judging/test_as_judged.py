"""Whatever a commit's configuration says, the gate counts what is there, as long as nobody accepted anything."""

from dataclasses import replace
from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.judging.as_judged import Counting, Judged
from infraaudit_domain.scans.checkov_config import DEFAULT_FRAMEWORKS, CheckovConfig, read_config
from infraaudit_domain.scans.findings import Finding, FrameworkScan, Scan, ScanStatus, UnreadableFile
from infraaudit_domain.scans.hidings import SCANNER, Hider, listed, marked

FRAMEWORKS = ("terraform", "kubernetes", "secrets")
CHECKS = ("CKV_1", "CKV_AWS_18", "CKV2_K8S_3")
PATHS = ("main.tf", "tests/a.yaml", "a/tests/b.tf")


def lists(*values: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), max_size=2)


configurations = st.fixed_dictionaries(
    {},
    optional={
        "framework": lists("terraform", "bicep", "all", "helm"),
        "skip-framework": lists(*FRAMEWORKS),
        "check": lists("CKV_1", "CKV_AWS_*", "CKV2*"),
        "skip-check": lists("*", "CKV*", "CKV_AWS_1?", "CKV_1"),
        "skip-path": lists("tests", "^/main", ".*", "(a|b)/", "["),
    },
).map(lambda document: read_config(document)[0])
findings = st.builds(
    Finding, st.sampled_from(FRAMEWORKS), st.sampled_from(CHECKS), st.just("n"), st.sampled_from(PATHS),
    st.sampled_from("xyz"), st.just(1), st.just(2),
)  # fmt: skip


def scan(found: list[Finding]) -> Scan:
    parts = tuple(
        FrameworkScan(name, name, ScanStatus.PARTIAL, tuple(f for f in found if f.framework == name), GAPS)
        for name in FRAMEWORKS
    )
    return Scan("a" * 40, parts, "3", "c", datetime(2026, 1, 1, tzinfo=UTC), 1.0)


GAPS = tuple(UnreadableFile(path, "odd") for path in PATHS)


def as_stored(plain: Scan, config: CheckovConfig) -> Scan:
    hider = Hider(config)
    return replace(plain, frameworks=tuple(marked(part, hider, "c.yaml") for part in plain.frameworks))


def open_ones(counted: Scan) -> set[str]:
    return {finding.fingerprint for finding in counted.findings if finding.is_open}


@given(st.lists(findings, max_size=8), configurations)
def test_nothing_is_hidden_that_nobody_accepted(found: list[Finding], config: CheckovConfig) -> None:
    plain, judged = scan(found), Judged(config, Counting(date(2026, 1, 1)))
    stored = as_stored(plain, config)
    assert {f.fingerprint for f in stored.findings} == {f.fingerprint for f in plain.findings}
    assert open_ones(judged.scan(stored)) == open_ones(plain)
    gaps = [part.unreadable for part in judged.without_accepted_gaps(stored).frameworks]
    assert [[gap.path for gap in some] for some in gaps] == [list(PATHS)] * 3


@given(st.lists(findings, max_size=8), configurations, configurations)
def test_what_was_trusted_at_first_hides_no_more_than_it_did(
    found: list[Finding], config: CheckovConfig, trusted: CheckovConfig
) -> None:
    plain, rules = scan(found), Counting(date(2026, 1, 1), trusted=trusted)
    counted = open_ones(Judged(config, rules).scan(as_stored(plain, config)))
    assert counted >= open_ones(as_stored(plain, trusted))
    assert counted == open_ones(as_stored(plain, trusted)) | open_ones(as_stored(plain, config))


def test_a_configuration_is_listed_in_a_few_words() -> None:
    document = {"framework": "terraform", "skip-check": "CKV_1", "skip-path": ["tests"]}
    assert listed(read_config(document)[0]) == ["all but framework terraform", "skip-check CKV_1", "skip-path tests"]
    assert listed(CheckovConfig()) == [] and set(FRAMEWORKS) < set(DEFAULT_FRAMEWORKS)


def test_a_file_that_the_scanner_never_opens_is_no_gap_that_counts_whatever_the_configuration_says() -> None:
    hidden, odd = UnreadableFile(".k/pod.yaml", "odd", SCANNER), UnreadableFile("k/pod.yaml", "odd")
    config = read_config({"skip-path": [".k"]})[0]
    plain = scan([])
    parts = [replace(plain.frameworks[0], unreadable=gaps) for gaps in ((hidden,), (hidden, odd))]
    stored = replace(plain, frameworks=tuple(marked(part, Hider(config), "c.yaml") for part in parts))
    assert [part.unreadable[0].hidden_by for part in stored.frameworks] == [SCANNER, SCANNER]
    counted = Judged(config, Counting(date(2026, 1, 1))).without_accepted_gaps(stored)
    assert [(part.unreadable, part.status) for part in counted.frameworks] == [
        ((), ScanStatus.COMPLETE), ((odd,), ScanStatus.PARTIAL)
    ]  # fmt: skip
