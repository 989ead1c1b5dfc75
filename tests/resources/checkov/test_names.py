"""Which files a scan opens by their names, and that those it never opens are gaps."""

import posixpath
import re

import pytest

from infraaudit_domain.lifecycles.changes import compare_scans
from infraaudit_domain.scans.evidence import is_unread
from infraaudit_domain.scans.findings import ScanStatus
from resources.checkov import CheckovRunner
from tests.conftest import Repository
from tests.resources.checkov.scanned import BUCKET, CONFIG, POD, gaps, parts, scan

pytestmark = pytest.mark.slow


def test_a_file_that_the_configuration_skips_makes_no_scan_partial(
    reader: CheckovRunner, repository: Repository
) -> None:
    files = {
        CONFIG: "skip-path: [testdata, 'a/old/.*', '.hidden']\n",
        "testdata/invalid.yaml": POD + "bad: [\n",
        "a/testdata/b/huge.yaml": POD + "#" * (3 * 1024 * 1024),
        "a/old/main.tf": 'resource "a" {{{\n',
        "main.tf": BUCKET,
    }
    found = scan(reader, repository, files)
    assert {one.framework: one.unreadable for one in found.values() if one.status is not ScanStatus.COMPLETE} == {}
    # They are unread all the same: what was found in them before is not closed, and the gate may count them.
    hidden = {gap.path: gap.hidden_by for one in found.values() for gap in one.unreadable}
    assert hidden == {
        "testdata/invalid.yaml": "skip-path testdata",
        "a/testdata/b/huge.yaml": "skip-path testdata",
        "a/old/main.tf": "skip-path a/old/.*",
    }


def test_what_is_expected_of_odd_names_is_what_checkov_selects_by_name(
    reader: CheckovRunner, repository: Repository
) -> None:
    """Each name with a text that its reader accepts: any gap left is one that Checkov leaves."""
    texts = {
        ".yml": "a: 1\n", ".yaml": "a: 1\n", ".template": "a: 1\n", ".json": '{"a": 1}\n', ".tf": BUCKET, ".tofu": BUCKET,
        ".hcl": "locals {\n  a = 1\n}\n", ".bicep": "param a string\n",
    }  # fmt: skip
    stems = ["Dockerfile", "test_dockerfile", "a.Dockerfile", "DOCKERFILE", "Containerfile", "dockerfile-a", "a"]
    others = ["", ".py", ".md", ".YAML", ".dockerignore", ".tfvars", ".tpl", ".yaml.j2", ".Dockerfile"]
    names = [stem + suffix for stem in stems for suffix in (*texts, *others)]
    names += ["package-lock.json", "a.gitlab-ci.yml", "my-venv/a.yml", "azure-pipelines.yml.md", "a.serverless.yml"]
    files = {name: texts.get(posixpath.splitext(name)[1], "FROM a\nUSER b\n") for name in names}
    found = {name: gaps(one) for name, one in scan(reader, repository, files).items() if gaps(one)}
    left_out = {"a.gitlab-ci.yml": "'.git'", "my-venv/a.yml": "'venv'", "a.serverless.yml": "'.serverless'"}
    assert {**found.pop("secrets")} == {
        name: f"Checkov searches no path with {word} in it for secrets" for name, word in left_out.items()
    }
    tofu = {f"{stem}.tofu" for stem in stems}
    assert {**found.pop("terraform")} == dict.fromkeys(sorted(tofu), "Checkov reads no files of OpenTofu")
    like_it = found.pop("dockerfile")
    assert {*like_it.values()} == {"Checkov takes no file of this name for a Dockerfile"}
    assert {re.split("[.-]", name)[0] for name in like_it} == {"Containerfile", "DOCKERFILE", "dockerfile"}
    assert found == {}


@pytest.mark.parametrize(
    ("framework", "path", "elsewhere", "text"),
    [
        ("kubernetes", "k/pod.yaml", ".k/pod.yaml", POD),
        ("kubernetes", "k/pod.yaml", "node_modules/k/pod.yaml", POD),
        ("terraform", "a/main.tf", "a/.old/main.tf", BUCKET),
        ("dockerfile", "Dockerfile", "Containerfile", "FROM debian:latest\nRUN sudo true\n"),
        ("dockerfile", "Dockerfile", "Dockerfile-dev", "FROM debian:latest\nRUN sudo true\n"),
        ("dockerfile", "Dockerfile", ".devcontainer/Dockerfile", "FROM debian:latest\nRUN sudo true\n"),
    ],
)
def test_what_moves_to_where_checkov_never_looks_is_not_fixed(
    reader: CheckovRunner, repository: Repository, framework: str, path: str, elsewhere: str, text: str
) -> None:
    history: list[dict[str, str | None]] = [
        {"none.yaml": "a: b\n", path: text},
        {path: None, elsewhere: text},
        {elsewhere: None},
    ]
    shas = [repository.write(files, "next") for files in history]
    mirror = repository.mirror()
    first, after, last = (reader.scan(mirror, sha, CONFIG) for sha in shas)
    changes = compare_scans(first, after, mirror.renames(*shas[:2]))
    assert first.findings and not changes.fixed and len(changes.unread) == len(first.findings)
    (gap,) = parts(after)[framework].unreadable
    assert (gap.path, gap.hidden_by, after.status) == (elsewhere, "the scanner", ScanStatus.COMPLETE)
    assert {finding.file_path for finding in compare_scans(first, last, {}).fixed} == {path}


def test_many_files_that_checkov_never_opens_are_one_gap_by_their_folder(
    reader: CheckovRunner, repository: Repository
) -> None:
    (gap,) = scan(reader, repository, {f"a/.b/{n}.yaml": POD for n in range(101)})["kubernetes"].unreadable
    assert gap.path == "a/.b/" and is_unread("a/.b/c/7.yaml", [gap.path]) and not is_unread("a/7.yaml", [gap.path])


def test_a_link_to_a_file_of_the_commit_is_read_like_it(reader: CheckovRunner, repository: Repository) -> None:
    places = {"a/main.tf": "../shared/bucket.txt", "b/main.tf": "../a/main.tf", "c/main.tf": "../../../etc/hosts",
              "d/main.tf": "/etc/hosts", "e/main.tf": "main.tf", "f/main.tf": "../shared"}  # fmt: skip
    repository.write({"shared/bucket.txt": BUCKET}, "text")
    for link, target in places.items():
        (repository.path / link).parent.mkdir()
        (repository.path / link).symlink_to(target)
    one = scan(reader, repository, {})["terraform"]
    assert {finding.file_path for finding in one.findings} == {"a/main.tf", "b/main.tf"}
    found = gaps(one)
    assert {*found} == {"c/main.tf", "d/main.tf", "e/main.tf"} and "a link to /etc/hosts, no file" in found["d/main.tf"]
