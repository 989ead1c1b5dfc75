"""What a scan proves: every file that it passes over is a gap with a reason, and what passed is kept."""

import posixpath
import re
import time

import pytest

from infraaudit_domain.lifecycles.changes import compare_scans
from infraaudit_domain.scans.checkov_config import DEFAULT_FRAMEWORKS
from infraaudit_domain.scans.evidence import EVERY_FILE, is_unread, proves_absence
from infraaudit_domain.scans.findings import FrameworkScan, Scan, ScanStatus
from resources.checkov import CheckovRunner
from tests.conftest import Repository

pytestmark = pytest.mark.slow

CONFIG = "scanner/checkov_config.yaml"
POD = """apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
    - name: web
      image: web:1
      securityContext:
        privileged: true
"""
WORKFLOW = """on: push
permissions: read-all
jobs:
  build:
    runs-on: ubuntu-latest
    env:
      ACTIONS_ALLOW_UNSECURE_COMMANDS: 'true'
    steps:
      - run: echo ${{ github.event.issue.title }}
"""
BUCKET = 'resource "aws_s3_bucket" "b" {\n  bucket = "b"\n}\n'
GROUP = """resource "aws_security_group" "g" {
  description = "g"
  ingress {
    description = "ssh"
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = %s
  }
}
"""


def scan(runner: CheckovRunner, repository: Repository, files: dict[str, str | None]) -> dict[str, FrameworkScan]:
    sha = repository.write(files, "files")
    return parts(runner.scan(repository.mirror(), sha, CONFIG))


def parts(scanned: Scan) -> dict[str, FrameworkScan]:
    return {one.framework: one for one in scanned.frameworks}


def gaps(one: FrameworkScan) -> dict[str, str]:
    return {file.path: file.reason for file in one.unreadable}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("# image was {{ .Values.image }} before\n" + POD, "Helm template stand in it"),
        (POD.replace("      image: web:1\n", "      image: web:1\n      args:\n        - =\n"), "could not determine"),
        (POD.replace("name: web\nspec", "name: ${APP}\nspec"), "${APP}"),
        (POD + "{% if a %}\nbad: [\n", "no YAML"),
        (POD.replace("name: web\nspec", "name: 8080\nspec"), "8080"),
        (POD.replace("apiVersion: v1\n", ""), "apiVersion"),
        (POD.replace("  name: web\nspec", "  generateName: web-\nspec"), "no manifest without a name"),
        ("- " + POD, "no YAML"),
        (POD.replace("privileged", "\tprivileged"), "no YAML"),
    ],
)
def test_a_manifest_that_checkov_passes_over_is_a_gap(
    reader: CheckovRunner, repository: Repository, text: str, word: str
) -> None:
    one = scan(reader, repository, {"pod.yaml": text, "good.yaml": POD})["kubernetes"]
    assert one.status is ScanStatus.PARTIAL and [*gaps(one)] == ["pod.yaml"]
    assert word in gaps(one)["pod.yaml"]
    assert {finding.file_path for finding in one.findings} == {"good.yaml"}
    assert one.evidence is not None and one.evidence.expected == 2
    assert "pod.yaml" not in one.evidence.passed


def test_a_workflow_that_checkov_passes_over_is_a_gap(reader: CheckovRunner, repository: Repository) -> None:
    folder = ".github/workflows"
    files = {
        f"{folder}/good.yml": WORKFLOW,
        f"{folder}/broken.yml": WORKFLOW + "bad: [\n",
        f"{folder}/schema.yml": "on: push\njobs: none\n",
        ".github/dependabot.yml": "version: 2\nupdates: [\n",
    }
    one = scan(reader, repository, files)["github_actions"]
    assert [*gaps(one)] == [f"{folder}/broken.yml", f"{folder}/schema.yml"]
    assert "no YAML" in gaps(one)[f"{folder}/broken.yml"] and "schema" in gaps(one)[f"{folder}/schema.yml"]
    assert {finding.file_path for finding in one.findings} == {f"{folder}/good.yml"}


def test_only_the_documents_that_were_read_count(reader: CheckovRunner, repository: Repository) -> None:
    second = POD.replace("name: web\nspec", "name: ${APP}\nspec")
    one = scan(reader, repository, {"pods.yaml": f"{POD}---\n{second}"})["kubernetes"]
    assert "1 of 2 parts were not read (the one in line 11)" in gaps(one)["pods.yaml"]
    assert one.findings
    second = POD.replace("name: web\nspec", "generateName: web-\nspec")
    one = scan(reader, repository, {"pods.yaml": f"{POD}---\n{second}"})["kubernetes"]
    assert "line 11): Checkov checks no manifest without a name" in gaps(one)["pods.yaml"]
    swagger = "openapi: 3.0.0\ninfo: {title: a, version: '1'}\npaths: {}\n"
    one = scan(reader, repository, {"pods.yaml": None, "api.yaml": f"{swagger}---\n{swagger}"})["openapi"]
    assert "line 4" in gaps(one)["api.yaml"]


STACK = """Resources:
  B:
    Type: AWS::S3::Bucket
    Properties: {BucketName: b}
  C:
    Type: AWS::S3::Bucket
"""


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('{"Resources": {"F": {"Type": "AWS::X#"}, "a.b": {"Type": "AWS::S3::Bucket"}}}', "names of some resources have a dot"),
        (STACK + "  B: {Type: AWS::S3::Bucket}\n", 'Duplicate resource found "B"'),
        (STACK.replace("  B:", "  - B:").replace("  C:", "  - C:"), "no mapping of names"),
        (STACK.replace(" {BucketName: b}", ""), "their Properties are no mapping"),
        (STACK + "  Fn::ForEach::Bs: [N, [b], {B: {Type: AWS::S3::Bucket}}]\n", "1 of 3 parts were not read (ForEach)"),
    ],
)  # fmt: skip
def test_a_template_that_checkov_passes_over_is_a_gap(
    reader: CheckovRunner, repository: Repository, text: str, word: str
) -> None:
    assert word in gaps(scan(reader, repository, {"stack.yaml": text})["cloudformation"])["stack.yaml"]


def test_a_playbook_of_nameless_tasks_is_a_gap(reader: CheckovRunner, repository: Repository) -> None:
    found = scan(reader, repository, {"site.yml": "- hosts: web\n  tasks:\n    - include: install.yml\n"})
    assert "one of its tasks has a name" in gaps(found["ansible"])["site.yml"]


def test_a_comment_before_the_first_brace_hides_no_template(reader: CheckovRunner, repository: Repository) -> None:
    schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    text = f'{{"$schema": "{schema}", "contentVersion": "1.0.0.0", "resources": []}}\n'
    found = scan(reader, repository, {"plain.json": text, "a.json": f"// made by hand\n{text}"})["arm"]
    assert [*gaps(found)] == ["a.json"] and "no JSON" in gaps(found)["a.json"]


def test_the_templates_of_a_chart_are_gaps_and_are_counted_by_chart(
    reader: CheckovRunner, repository: Repository
) -> None:
    template = POD.replace("web:1", "{{ .Values.image }}")
    files = {f"deploy/templates/{n}.yaml": template for n in range(3)} | {
        "deploy/Chart.yaml": "apiVersion: v2\nname: deploy\nversion: 1.0.0\n",
        "deploy/values.yaml": "image: a\n",
        "deploy/templates/plain.yaml": POD,
        "deploy/templates/lib.yaml": '{{- include "lib.service" . }}\n',
        "docker-compose.yml": "services: {a: {image: b}}\n",
        "package.json": '{"name": "a", "kind": "Pod"}',
    }
    one = scan(reader, repository, files)["kubernetes"]
    assert one.reason == "4 template(s) of the Helm chart deploy were not read"
    assert all(reason.startswith("a template of the Helm chart deploy") for reason in gaps(one).values())
    assert {finding.file_path for finding in one.findings} == {"deploy/templates/plain.yaml"}


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


def test_what_passed_closes_a_finding_and_what_was_not_decided_does_not(
    reader: CheckovRunner, repository: Repository
) -> None:
    before = scan(reader, repository, {"sg.tf": GROUP % '["0.0.0.0/0"]', "b.tf": BUCKET})["terraform"]
    (ssh,) = [finding for finding in before.findings if finding.check_id == "CKV_AWS_24"]
    bucket = next(finding for finding in before.findings if finding.file_path == "b.tf")
    after = scan(reader, repository, {"sg.tf": GROUP % '["10.0.0.0/8"]', "b.tf": "# nothing\n"})["terraform"]
    assert ssh.check_id not in {finding.check_id for finding in after.findings}
    assert proves_absence(after.evidence, ssh) and proves_absence(after.evidence, bucket)
    assert not proves_absence(before.evidence, ssh)
    assert after.evidence is not None and after.evidence.passed["sg.tf"]["aws_security_group.g"]


def test_what_rests_on_a_file_that_was_not_read_proves_nothing(reader: CheckovRunner, repository: Repository) -> None:
    variable = 'variable "from" {\n  default = ["0.0.0.0/0"]\n}\n'
    call = 'module "m" {\n  source = "./inner"\n}\n'
    files = {"sg.tf": GROUP % "var.from", "variables.tf": variable, "inner/b.tf": BUCKET, "call.tf": call}
    before = scan(reader, repository, files)["terraform"]
    (ssh,) = [finding for finding in before.findings if finding.check_id == "CKV_AWS_24"]
    after = scan(reader, repository, {"variables.tf": variable + "}", "alone/b.tf": BUCKET})["terraform"]
    assert "values come from variables.tf" in gaps(after)["inner/b.tf"]
    assert {*gaps(after)} == {"variables.tf", "inner/b.tf"}
    assert not proves_absence(after.evidence, ssh)
    assert after.evidence is not None and any(after.evidence.passed["alone/b.tf"].values())


def test_a_gap_leaves_graph_checks_in_doubt_only_where_calls_of_modules_reach(
    reader: CheckovRunner, repository: Repository
) -> None:
    private = 'resource "aws_s3_bucket" "b" {\n  bucket = "b"\n  acl = "private"\n}\n'
    call = 'module "m" {\n  source = "../%s"\n}\n'
    files: dict[str, str | None] = {
        "bad/bad.tf": "resource {{{\n", "alone/b.tf": private, "caller/b.tf": private, "caller/m.tf": call % "between",
        "between/b.tf": private, "between/m.tf": call % "bad",
    }  # fmt: skip
    one = scan(reader, repository, files)["terraform"]
    assert one.evidence is not None
    named = one.evidence.passed.items()
    passed = {path: each for path, by_name in named if path.endswith("b.tf") for each in by_name.values()}
    graph = "CKV_AWS_20"
    assert {path: graph in checks for path, checks in passed.items()} == {
        "alone/b.tf": True, "caller/b.tf": False, "between/b.tf": False
    }  # fmt: skip


def test_secrets_are_searched_in_every_file_or_it_is_a_gap(reader: CheckovRunner, repository: Repository) -> None:
    (repository.path / "latin.tf").write_bytes(b'a = "\xe4"\n')
    files: dict[str, str | None] = {"a.tf": BUCKET, "package-lock.json": "{}", "b.yaml": "a: b\n"}
    one = scan(reader, repository, files)["secrets"]
    assert [*gaps(one)] == ["latin.tf"] and one.evidence is not None and one.evidence.expected == 3


def test_a_bicep_file_that_cannot_be_read_costs_seconds_and_once(
    reader: CheckovRunner, repository: Repository, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stored: dict[str, FrameworkScan] = {}
    array = "param names string[]\n"
    storage = "resource s 'Microsoft.Storage/storageAccounts@2021-02-01' = {\n  name: 'a'\n}\n"
    files: dict[str, str | None] = {"names.bicep": array, "s.bicep": storage}
    started = time.process_time()
    spent = reader.parent.cpu
    first = scan(reader, repository, files)
    assert reader.parent.cpu - spent + time.process_time() - started < 10
    assert [*gaps(first["bicep"])] == ["names.bicep"] and first["bicep"].findings
    stored |= {one.scan_key: one for one in first.values()}
    with CheckovRunner(tmp_path_factory.mktemp("state") / "scans", {}, stored.get) as runner:
        sha = repository.write({"readme.md": "a"}, "docs")
        again = parts(runner.scan(repository.mirror(), sha, CONFIG))
        assert again["bicep"].reused and again["bicep"].status is ScanStatus.PARTIAL


def test_many_gaps_are_bounded_and_say_so(repository: Repository, reader: CheckovRunner) -> None:
    files: dict[str, str | None] = {f"{n}.yaml": POD + "bad: [\n" for n in range(1010)}
    one = scan(reader, repository, files)["kubernetes"]
    assert len(one.unreadable) == 1001 and one.unreadable[-1].path == EVERY_FILE
    assert one.reason == "1010 file(s) could not be read" and len(DEFAULT_FRAMEWORKS) > 10


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


STORAGE = """resource s 'Microsoft.Storage/storageAccounts@2021-02-01' = %s{
  name: 's'
  properties: {
    supportsHttpsTrafficOnly: false
  }
}%s
"""


@pytest.mark.parametrize(("start", "end"), [("if (wanted) ", ""), ("[for i in range(0, 2): ", "]")])
def test_a_condition_or_a_loop_around_a_resource_of_bicep_fixes_nothing(
    reader: CheckovRunner, repository: Repository, start: str, end: str
) -> None:
    before = scan(reader, repository, {"s.bicep": STORAGE % ("", "")})["bicep"]
    (https,) = [finding for finding in before.findings if finding.check_id == "CKV_AZURE_3"]
    after = scan(reader, repository, {"s.bicep": "param wanted bool = true\n" + STORAGE % (start, end)})["bicep"]
    assert after.evidence is not None and https.resource in after.evidence.passed["s.bicep"]
    assert not proves_absence(after.evidence, https)
    fixed = scan(reader, repository, {"s.bicep": STORAGE.replace("false", "true") % ("", "")})["bicep"]
    assert proves_absence(fixed.evidence, https)


SERVICE = """service: s
provider:
  name: aws
functions:
  f:
    handler: h
"""
RESOURCES = """resources:
  Resources:
    B:
      Type: AWS::S3::Bucket
      Properties: {AccessControl: PublicRead}
"""


@pytest.mark.parametrize(
    ("instead", "file"),
    [
        ("resources: ${file(r.js)}\n", "r.js"),
        ("resources: ${ssm:/x}\n", ""),
        ("resources:\n  - ${file(r.yml)}\n", ""),
        ("resources:\n  Resources: ${file(r.yml)}\n", "r.yml"),
        ("resources:\n  Resources:\n    B: ${file(../r.yml)}\n", ""),
    ],
)
def test_resources_of_another_file_that_is_not_filled_in_are_a_gap(
    reader: CheckovRunner, repository: Repository, instead: str, file: str
) -> None:
    before = scan(reader, repository, {"serverless.yml": SERVICE + RESOURCES})["serverless"]
    assert before.findings and not before.unreadable
    files: dict[str, str | None] = {"serverless.yml": SERVICE + instead}
    after = scan(reader, repository, files | ({file: "x: [\n"} if file else {}))["serverless"]
    assert "serverless.yml" in gaps(after)


def test_resources_of_another_file_that_is_filled_in_are_none(reader: CheckovRunner, repository: Repository) -> None:
    inside = RESOURCES.split("\n", 1)[1].replace("\n  ", "\n")[2:]
    files: dict[str, str | None] = {"serverless.yml": SERVICE + "resources:\n  - ${file(r.yml)}\n", "r.yml": inside}
    one = scan(reader, repository, files)["serverless"]
    assert one.findings and not one.unreadable


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


def test_many_files_that_checkov_never_opens_are_told_by_their_folder(
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
