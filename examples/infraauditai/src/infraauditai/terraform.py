"""Rules for Terraform, on its text: blocks are found by their braces, attributes by their names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from infraauditai.findings import Finding, UnreadableInput

_TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|#[^\n]*|//[^\n]*|/\*.*?\*/|[{}]', re.DOTALL)
_RESOURCE = re.compile(r'^[ \t]*resource[ \t]+"([\w-]+)"[ \t]+"([\w-]+)"[ \t]*(?=\{)', re.MULTILINE)


@dataclass(frozen=True)
class Resource:
    kind: str
    name: str
    body: str

    @property
    def address(self) -> str:
        return f"{self.kind}.{self.name}"

    def has(self, attribute: str, value: str) -> bool:
        return re.search(rf"^\s*{attribute}\s*=\s*{value}\s*$", self.body, re.MULTILINE) is not None


def audit_terraform(text: str) -> list[Finding]:
    """The findings in every resource of a Terraform file."""
    return [finding for resource in read_resources(text) for finding in _audit_resource(resource)]


def read_resources(text: str) -> list[Resource]:
    """The resource blocks of a file, comments left out."""
    plain = _TOKEN.sub(lambda token: token[0] if token[0][0] in '"{}' else "", text)
    return [Resource(found[1], found[2], _block(plain, found.end())) for found in _RESOURCE.finditer(plain)]


def _block(text: str, start: int) -> str:
    depth = 0
    for token in _TOKEN.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth == 0:
            return text[start + 1 : token.start()]
    raise UnreadableInput("a block is not closed")


def _audit_resource(resource: Resource) -> Iterator[Finding]:
    if resource.kind.startswith("aws_security_group") and re.search(r'ingress|type\s*=\s*"ingress"', resource.body):
        if '"0.0.0.0/0"' in resource.body or '"::/0"' in resource.body:
            yield Finding("TF_OPEN_TO_WORLD", "high", resource.address, "anyone on the Internet may connect")
    if resource.kind.startswith("aws_s3_bucket") and resource.has("acl", '"public-read(-write)?"'):
        yield Finding("TF_PUBLIC_BUCKET", "critical", resource.address, "anyone may read the bucket")
    if resource.kind == "aws_ebs_volume" and not resource.has("encrypted", "true"):
        yield Finding("TF_UNENCRYPTED_VOLUME", "medium", resource.address, "set encrypted = true")
