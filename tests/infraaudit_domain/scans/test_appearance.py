"""What a text plainly is, whatever a parser makes of it."""

import time

import pytest

from infraaudit_domain.scans.appearance import instructions, terraform_blocks
from infraaudit_domain.scans.documents import documents
from infraaudit_domain.scans.expectation import chart_of, charts, expected_parts, kind_of, look

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: a}]}\n"


def is_expected(framework: str, path: str, text: str | bytes, folders: frozenset[str] = frozenset()) -> bool:
    content = text.encode() if isinstance(text, str) else text
    kind = kind_of(path)
    return bool(expected_parts(framework, path, look(kind, content) if kind else (), folders))


@pytest.mark.parametrize(
    "text",
    [
        POD,
        "# image was {{ .Values.image }} before\n" + POD,
        POD + "args:\n- =\n",
        POD + "  bad: [\n",
        POD.replace("metadata: {name: a}", "metadata:\n\tname: ${APP}"),
        "{apiVersion: v1, kind: Pod}",
        "--- {apiVersion: v1,\n  kind: Pod}\n",
        "\"apiVersion\": v1\n'kind': Pod\n",
        POD.replace("\n", "\r\n"),
        "\ufeff" + POD,
        POD.encode("utf-16"),
        "%YAML 1.2\n---\n# a pod\n\n" + POD,
        "  apiVersion: v1\n  kind: Pod\n",
        "---\n!!map\napiVersion: v1\nkind: Pod\n",
        "? apiVersion\n: v1\n" + POD,
        '"api\\x56ersion": v1\nkind: Pod\n',
        '"api\\\n  Version": v1\nkind: Pod\n',
        POD.replace("apiVersion: v1\n", ""),
        POD.replace("kind: Pod\n", ""),
        POD.replace("kind: Pod", "kind:\tPod"),
        "- " + POD,
        "{{- if .Values.on }}\n" + POD + "{{- end }}\n",
    ],
)
def test_a_manifest_is_one_however_it_is_written_and_broken(text: str | bytes) -> None:
    assert is_expected("kubernetes", "deploy/pod.yaml", text)


@pytest.mark.parametrize("text", ['{"apiVersion": "v1",\n "kind": "Pod"}', '{"kind": "Pod", "a": [}, "apiVersion": 1'])
def test_a_manifest_in_json_is_one_when_its_brackets_do_not_match(text: str) -> None:
    assert is_expected("kubernetes", "pod.json", text)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("values.yaml", "image: a\npod:\n  apiVersion: v1\n  kind: Pod\n  metadata: {}\n"),
        ("docker-compose.yml", "version: '3'\nservices:\n  kind: {image: a}\n"),
        ("package.json", '{"name": "a", "kind": "x", "x": {"apiVersion": "v1", "kind": "Pod"}}'),
        ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
        ("kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a]\n"),
        ("mkdocs.yml", "site_name: a\nnav:\n  - kind: text\n# apiVersion: v1\n# kind: Pod\n"),
        (".github/pod.yaml", POD),
        ("web/node_modules/a/pod.yaml", POD),
        ("pod.txt", POD),
    ],
)
def test_what_is_no_manifest_is_not_expected(path: str, text: str) -> None:
    assert not is_expected("kubernetes", path, text)


@pytest.mark.parametrize(
    ("framework", "path", "text"),
    [
        ("cloudformation", "a.template", "Resources:\n  B:\n    Type: AWS::S3::Bucket\n  bad: [\n"),
        ("cloudformation", "a.json", '{"Resources": {"B": {"Type": "AWS::S3::Bucket"}}}'),
        ("arm", "a.json", '{"$schema": "https://x/deploymentTemplate.json#", "contentVersion": "1", "resources": [}'),
        ("openapi", "a.yaml", "openapi: 3.0.0\ninfo: [\n"),
        ("github_actions", ".github/workflows/ci.yml", "on: push\njobs:\n  a: ${{ x }}\nbad: ["),
        ("gitlab_ci", ".gitlab-ci.yml", "a:\n  script: [\n"),
        ("circleci_pipelines", ".circleci/config.yml", "version: 2\njobs: [\n"),
        ("azure_pipelines", "ci/azure-pipelines.yml", "pool: [\n"),
        ("bitbucket_pipelines", "bitbucket-pipelines.yml", "image: a\npipelines: [\n"),
        ("argo_workflows", "w.yaml", 'apiVersion: "argoproj.io/v1alpha1"\nkind: Workflow\n'),
        (
            "arm",
            "a.json",
            '{"$schema": "https://x/deploymentTemplate.json#", "contentVersion": "1",\n...\n"resources": []}',
        ),
        ("kubernetes", "a.yaml", '{"apiVersion": "v1",\n---\n "kind": "Pod"}'),
        ("ansible", "site.yml", "- hosts: all\n  tasks: [\n"),
        ("ansible", "site.yml", " ---\n- hosts: all\n  tasks: []\n"),
        ("ansible", "roles/a/tasks/main.yml", "- name: a\n  apt: [\n"),
        ("terraform", "main.tf", 'resource "aws_s3_bucket" "b" {\n  a = <<EOF\n'),
        ("terraform", "blah.tf", "blablabla\n"),
        ("terraform", "a.hcl", 'resource "a" "b" {\n  c = <<EOF\n'),
        ("terraform", "main.tofu", "resource aws_s3_bucket b {}\n"),
        ("bicep", "a.bicep", "// a\nparam a string[]\n"),
        ("dockerfile", "Dockerfile.web", "FROM a\n"),
        ("serverless", "a/serverless.yml", "service: a\nprovider: [\n"),
        ("terraform_plan", "plan.json", '{"terraform_version": "1", "planned_values": {}}'),
        ("secrets", "a.yml", "a: b\n"),
    ],
)
def test_each_framework_has_files_that_it_is_expected_to_read(framework: str, path: str, text: str) -> None:
    assert is_expected(framework, path, text)


@pytest.mark.parametrize(
    ("framework", "path", "text"),
    [
        ("ansible", "labels.yml", "- name: bug\n  color: red\n"),
        ("cloudformation", "a.yaml", "Resources: [a]\n"),
        ("github_actions", ".github/dependabot.yml", "version: 2\n"),
        ("terraform", "terragrunt.hcl", 'include "a" {}\ninputs = {}\n'),
        ("terraform", "empty.tf", "# nothing\n/*\nLicense\n*/\n// more\n"),
        ("bicep", "a.bicep", "// nothing\n"),
        ("dockerfile", "my.dockerignore", "FROM a\n"),
        ("dockerfile", "Dockerfile", "# nothing\n"),
        ("github_actions", ".github/workflows/ci.yml", "# nothing\n---\n"),
        ("secrets", "package-lock.json", "{}"),
    ],
)
def test_what_is_nobodys_or_empty_is_not_expected(framework: str, path: str, text: str) -> None:
    assert not is_expected(framework, path, text)


def test_a_template_of_a_chart_is_expected_whatever_is_in_it() -> None:
    folders = charts(["deploy/chart/Chart.yaml", "values.yaml"])
    assert folders == {"deploy/chart/"} and charts(["Chart.yaml"]) == {""}
    text = '{{- include "lib.deployment" . }}\n'
    assert is_expected("kubernetes", "deploy/chart/templates/a.yaml", text, folders)
    assert not is_expected("kubernetes", "deploy/chart/values.yaml", "a: b\n", folders)
    assert not is_expected("kubernetes", "other/templates/a.yaml", text, folders)
    assert chart_of("templates/a/b.yaml", {""}) == "" and chart_of("a/templates/b.yaml", {""}) is None


def test_documents_know_their_lines() -> None:
    text = "# first\n---\n" + POD + "---\n# nothing\n---\n" + POD + "...\n"
    assert [(part.first, part.last) for part in documents(text.encode())] == [(2, 6), (9, 13)]


def test_instructions_are_counted_without_what_only_looks_like_one() -> None:
    text = "# escape=\\\nFROM a\nRUN <<EOF\nUSER b\nEOF\nRUN a \\\n  # USER c\n  && USER d\nuser e\n"
    assert [(part.name, part.first) for part in instructions(text.encode())] == [
        ("FROM", 2),
        ("RUN", 3),
        ("RUN", 6),
        ("USER", 9),
    ]


def test_resources_are_named_where_no_longer_text_can_hide_one() -> None:
    text = 'resource "a" "b" {\n}\n# resource "x" "y" {\nresource c "d" {\n'
    assert [part.name for part in terraform_blocks(text.encode())] == ["", "a.b", "c.d"]
    assert [part.name for part in terraform_blocks(f"{text}/* resource */".encode())] == [""]


@pytest.mark.parametrize("kind", ["data", "json", "terraform", "hcl", "bicep", "dockerfile"])
@pytest.mark.parametrize(
    "piece",
    [
        '"\\"',
        "{",
        '{"a":',
        "---\n",
        " ",
        "\t\n",
        "<<a\n",
        "RUN <<a\n",
        "resource a b {\n",
        "kind: ",
        "\\\n",
        "/*",
        "'",
        "- ",
    ],
)
def test_a_hostile_text_takes_no_longer_than_its_length_allows(kind: str, piece: str) -> None:
    started = time.process_time()
    look(kind, piece.encode() * (400_000 // len(piece)))
    assert time.process_time() - started < 5
