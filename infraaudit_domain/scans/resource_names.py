"""What Checkov's text for a resource names, without the positions in it.

The text is part of a finding's identity, and for some frameworks it holds the index of a step, lines, or what the
resource stands in: a module call, the key of a for_each, a namespace, a block of tasks, a workflow of some name. A resource
whose text changed in these alone is still the same one (successors.py). Deliberately absent: the content of resources, which a scan does not
keep.
"""

import re
from collections.abc import Callable

from infraaudit_domain.scans.findings import Finding

TERRAFORM = ("terraform", "terraform_plan")
_MODULE_CALL = re.compile(r'module\.[\w-]+(?:\[(?:"[^"]*"|\d+)\])?\.')
_POSITIONS = {
    # jobs(build).steps[3](name), jobs(build).docker.image[1](image)
    "github_actions": re.compile(r"(?<=\.steps)\[\d+\]"),
    "circleci_pipelines": re.compile(r"(?<=\.steps)\[\d+\]|(?<=\.docker\.image)\[\d+\]"),
    # stages[0](name).jobs[1](name)
    "azure_pipelines": re.compile(r"(?<=\w)\[\d+\](?=$|\(|\.)"),
    # build.rules.2
    "gitlab_ci": re.compile(r"\.\d+(?=\.|$)"),
    # aws_s3_bucket.b[0], the instances of a count
    "terraform": re.compile(r"\[\d+\]"),
    "terraform_plan": re.compile(r"\[\d+\]"),
}
_SCOPES = {
    "kubernetes": re.compile(r"(?<=\w)\.[\w-]+(?=\.)"),
    "ansible": re.compile(r"(?<=^tasks)(?:\.block)+(?=\.)"),
    "github_actions": re.compile(r"(?<=^on)\(.*\)$", re.DOTALL),
}
"""Pod.prod.web, tasks.block.get_url.fetch, on(the name of the workflow)"""
_TEMPLATE = re.compile(r"^(Pod\.[^.\s]+)\.\S*-\S*(?= \(rendered by |$)")
"""Without its namespace, what Checkov calls the Pod of a Deployment: its owner, and its labels as key-value."""
_KEY = re.compile(r'\["[^"]*"\]')
_LABELLED = ("github_actions", "azure_pipelines")
_LABEL = re.compile(r"(?<=\])\(.*?\)(?=\.|$)")
_LINES = re.compile(r"\[\d+:\d+\]$")
"""The lines with which Argo workflows, Bitbucket pipelines and others end: spec.spec.CKV_ARGO_1[5:11]"""


def position_free(finding: Finding) -> str:
    """The text of a finding's resource without positions and without the path of its file.

    >>> position_free(Finding("github_actions", "C", "", "ci.yml", "jobs(build).steps[3](greet)", 1, 2))
    'jobs(build).steps(greet)'
    """
    return _POSITIONS.get(finding.framework, _LINES).sub("", _without_path(finding))


def scope_free(finding: Finding) -> str:
    """The same without what the resource stands in.

    >>> scope_free(Finding("terraform", "C", "", "m/main.tf", 'module.a["x"].module.b.aws_s3_bucket.c["k"]', 1, 2))
    'aws_s3_bucket.c'
    >>> scope_free(Finding("kubernetes", "C", "", "pod.yaml", "Pod.prod.web", 1, 2))
    'Pod.web'
    """
    text = position_free(finding)
    if finding.framework in TERRAFORM:
        return _KEY.sub("", text[len("".join(_calls(text))) :])
    return _SCOPES[finding.framework].sub("", text, count=1) if finding.framework in _SCOPES else text


def label_free(finding: Finding) -> str:
    """The text of a resource of a pipeline with its positions, but without the labels beside them; else as it is.

    >>> label_free(Finding("github_actions", "C", "", "ci.yml", "jobs(build).steps[3](greet)", 1, 2))
    'jobs(build).steps[3]'
    """
    text = _without_path(finding)
    return _LABEL.sub("", text) if finding.framework in _LABELLED else text


def template_free(finding: Finding) -> str:
    """The text of a resource; that of a Pod's template in Kubernetes without its labels, which are no part of a name.

    >>> template_free(Finding("kubernetes", "C", "", "web.yaml", "Pod.prod.web.app-web.version-v2", 1, 2))
    'Pod.web'
    """
    text = scope_free(finding)
    return _TEMPLATE.sub(r"\1", text) if finding.framework == "kubernetes" else text


def has_position(finding: Finding) -> bool:
    """Whether the text of a finding's resource holds a position."""
    return position_free(finding) != _without_path(finding)


def scopes(address: str) -> list[str]:
    """The modules around a resource of Terraform, from none to all, each as the beginning of its address.

    >>> scopes("module.a.module.b.aws_s3_bucket.c")
    ['', 'module.a.', 'module.a.module.b.']
    """
    calls = _calls(address)
    return ["".join(calls[:number]) for number in range(len(calls) + 1)]


def in_order(finding: Finding) -> tuple[list[int], int, int, str]:
    """Sorts findings whose resources are equal but for their positions."""
    numbers = [int(number[:9]) for number in re.findall(r"\d+", finding.resource)]
    return numbers, finding.ordinal, finding.line_start, finding.resource


def kind(finding: Finding, name: Callable[[Finding], str] = scope_free) -> tuple[str, str, str]:
    """What of a finding no move changes: whatever it moved within or between files."""
    return finding.framework, finding.check_id, name(finding)


def _without_path(finding: Finding) -> str:
    return finding.resource.removeprefix(f"/{finding.file_path}.")


def _calls(address: str) -> list[str]:
    found, at = [], 0
    while (call := _MODULE_CALL.match(address, at)) is not None:
        found.append(call[0])
        at = call.end()
    return found
