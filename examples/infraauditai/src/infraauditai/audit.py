"""One audit: tell what the text is, and apply that language's rules."""

import re

from infraauditai.findings import SEVERITIES, Finding
from infraauditai.kubernetes import audit_manifest
from infraauditai.terraform import audit_terraform

_TERRAFORM = re.compile(r'^[ \t]*(resource|variable|module|provider|data|output|terraform|locals)\b[^:=\n]*\{', re.MULTILINE)


def audit(text: str) -> list[Finding]:
    """The findings in ``text``, the worst first. Raises UnreadableInput."""
    findings = audit_terraform(text) if _TERRAFORM.search(text) else audit_manifest(text)
    return sorted(findings, key=lambda found: (-SEVERITIES.index(found.severity), found.resource, found.rule))
