"""What is known of checks beside their findings: a link for every one of the installed Checkov, and the site's own word."""

from pathlib import Path

import pytest

from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.scans.findings import Severity
from resources.configuration.checks import read_overrides, read_remedies
from resources.configuration.severities import read_severities
from tests.resources.configuration.check_links import FILE, links


def test_every_check_of_the_installed_checkov_has_a_link_to_that_version() -> None:
    remedies = read_remedies(FILE, Path("nothing"))
    assert dict(remedies.links) == links(), (
        "Checkov is another one: python -m tests.resources.configuration.check_links"
    )
    assert all(link.startswith("https://") for link in remedies.links.values()) and len(remedies.links) > 1300


def test_a_site_says_what_it_wants_of_a_check(tmp_path: Path) -> None:
    own, table = tmp_path / "checks.yaml", tmp_path / "severities.csv"
    own.write_text(
        "checks:\n  CKV_AWS_24: {severity: critical, remedy: Use the bastion module.}\n"
        "  ACME_1: {link: https://wiki.example.org/acme-1}\n"
    )
    table.write_text("check_id,severity\nCKV_AWS_24,info\nCKV_AWS_18,info\n")
    remedies = read_remedies(FILE, own)
    ssh = remedies.of("CKV_AWS_24")
    assert ssh.text == "Use the bastion module." and ssh.link.endswith("/SecurityGroupUnrestrictedIngress22.py")
    assert remedies.of("ACME_1").link == "https://wiki.example.org/acme-1" and remedies.of("ACME_2").link == ""
    assert remedies.of("CKV_SECRET_9999").link.endswith("/secrets.html")
    assert remedies.of("CKV_AWS_99999").link.startswith("https://www.checkov.io/")
    assert remedies.of("CKV_AWS_18", "https://given.example.org").link == "https://given.example.org"
    severities = read_severities(table, own)
    assert (severities["CKV_AWS_24"], severities["CKV_AWS_18"]) == (Severity.CRITICAL, Severity.INFO)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("checks: {A: {severity: awful}}", "checks.A.severity"),
        ("checks: {A: {link: 'http://x'}}", "checks.A.link"),
        ("checks: {'A B': {}}", "checks.A B"),
        ("check: {}", "check"),
        ("checks: {A: {rated: high}}", "checks.A.rated"),
    ],
)
def test_a_fault_of_the_file_is_named(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "checks.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=fault):
        read_overrides(tmp_path / "checks.yaml")
