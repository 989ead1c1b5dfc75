"""What a scan reads of templates: of CloudFormation, ARM, Bicep, the Serverless Framework and Helm."""

import time

import pytest

from infraaudit_domain.scans.evidence import proves_absence
from infraaudit_domain.scans.findings import FrameworkScan, ScanStatus
from resources.checkov import CheckovRunner
from tests.conftest import Repository
from tests.resources.checkov.scanned import CONFIG, POD, gaps, parts, scan

pytestmark = pytest.mark.slow
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
