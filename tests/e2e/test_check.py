"""`infraaudit check` in a developer's checkout: the program, a real repository, and a real Checkov."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infraaudit_assets.settings import examples
from tests.conftest import Repository
from tests.e2e.installation import BIN

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
OPEN_SSH = (
    'resource "aws_security_group_rule" "open" {\n  type = "ingress"\n  from_port = 22\n  to_port = 22\n'
    '  protocol = "tcp"\n  cidr_blocks = ["0.0.0.0/0"]\n  security_group_id = "sg-1"\n}\n'
)
STRICT = "open: {}\nnew: {info: 0, low: 0, medium: 0, high: 0, critical: 0, unknown: 0}\n"


class Checkout(Repository):
    """The sample application in a checkout of a developer who has nothing else of InfraAudit."""

    def __init__(self, folder: Path, cache: Path) -> None:
        super().__init__(folder / "shop")
        sample = examples() / "infraauditai"
        self.write({str(f.relative_to(sample)): f.read_text() for f in sample.rglob("*") if f.is_file()}, "sample")
        self._words = {"XDG_CACHE_HOME": str(cache), "PATH": "/usr/sbin:/usr/bin:/bin", "HOME": str(folder)}

    def check(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [BIN / "infraaudit", "check", str(self.path), *words]
        return subprocess.run(
            command, cwd=self.path, env=self._words, capture_output=True, text=True, timeout=280, check=False
        )

    def result(self, *words: str) -> tuple[int, dict[str, Any], dict[str, str]]:
        """The exit code, the JSON, and the state of each part."""
        done = self.check("--json", *words)
        assert done.stdout, done.stderr
        found = json.loads(done.stdout)
        return done.returncode, found, {part["part"]: part["state"] for part in found["parts"]}


@pytest.fixture
def checkout(tmp_path: Path, warm_home: Path) -> Checkout:
    return Checkout(tmp_path, warm_home / "cache")


def test_what_a_change_brings_is_shown_before_it_is_committed(checkout: Checkout, tmp_path: Path) -> None:
    code, clean, parts = checkout.result()
    assert (code, clean["passes"], clean["new"], clean["fixed"]) == (0, True, [], 0)
    assert set(parts.values()) == {"good"} and clean["base"] == checkout.git("rev-parse", "HEAD")
    (checkout.path / "terraform/ssh.tf").write_text(OPEN_SSH)
    code, changed, _ = checkout.result("--sarif", str(tmp_path / "found.sarif"))
    brought = {(row["check_id"], row["file_path"]) for row in changed["new"]}
    assert code == 0 and ("CKV_AWS_24", "terraform/ssh.tf") in brought
    assert changed["open"] == clean["open"] + len(brought)
    (run,) = json.loads((tmp_path / "found.sarif").read_text())["runs"]
    assert "CKV_AWS_24" in {result["ruleId"] for result in run["results"]}
    assert all(rule["helpUri"].startswith("https://") for rule in run["tool"]["driver"]["rules"])
    (tmp_path / "strict.yaml").write_text(STRICT)
    done = checkout.check("--gate", str(tmp_path / "strict.yaml"))
    assert done.returncode == 1 and "It would be stopped (gate)" in done.stdout, done.stdout + done.stderr
    assert "terraform/ssh.tf:1  CKV_AWS_24" in done.stdout and str(tmp_path / "strict.yaml") in done.stdout
    assert checkout.git("status", "--porcelain") == "?? terraform/ssh.tf"


def test_what_a_release_may_not_have_is_refused_and_the_judged_do_not_configure_the_judge(
    checkout: Checkout, tmp_path: Path
) -> None:
    manifest = checkout.path / "configs/kubernetes/deployment.yaml"
    manifest.write_text(manifest.read_text().replace("      containers:", "      hostNetwork: true\n      containers:"))
    (checkout.path / "terraform/ssh.tf").write_text(OPEN_SSH)
    (checkout.path / "scanner/checkov_config.yaml").write_text("skip-check: ['CKV*']\n")
    (checkout.path / "configs/prometheus/prometheus.yml").write_text("scrape_configs: nothing\n")
    (tmp_path / "strict.yaml").write_text(STRICT)
    code, found, parts = checkout.result("--gate", str(tmp_path / "strict.yaml"))
    refused = {part for part, state in parts.items() if state == "refused"}
    assert (code, found["passes"], refused) == (1, False, {"manifests of production", "monitoring", "gate"})
    # What the change brings of a judge's files counts for nothing.
    for name, text in (("configs/gate.yaml", "open: {}\nnew: {}\n"), ("configs/projects.yaml", "projects: []\n")):
        (checkout.path / name).write_text(text)
    _, by_default, _ = checkout.result()
    assert not Path(by_default["policy"]).is_relative_to(checkout.path)
    (gate,) = (part["reason"] for part in found["parts"] if part["part"] == "gate")
    assert "CKV_AWS_24" in gate or "hid" in gate, gate


def test_a_repository_with_terraform_alone_needs_nothing_else(checkout: Checkout) -> None:
    everything = checkout.git("ls-files").splitlines()
    checkout.write({path: None for path in everything if not path.startswith("terraform/")}, "Terraform alone")
    code, found, parts = checkout.result()
    assert code == 0 and found["new"] == []
    assert {part for part, state in parts.items() if state == "absent"} == set(parts) - {"gate"}


def test_what_cannot_be_judged_fails_in_words(checkout: Checkout, tmp_path: Path) -> None:
    for words in (("--against", "nowhere"), ("--gate", str(tmp_path / "none.yaml")), ("--project", "none")):
        done = checkout.check(*words)
        assert done.returncode and not done.stdout and "Traceback" not in done.stderr, done.stdout
        assert done.stderr.startswith("infraaudit: "), done.stderr
