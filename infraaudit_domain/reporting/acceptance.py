"""How a finding is accepted: the text to paste into the code, or into the project's suppressions."""

from datetime import date

from infraaudit_domain.scans.findings import Finding

_IN_ANNOTATIONS = ("kubernetes", "helm", "kustomize")
_JSON = (".json", ".template")


def comment(finding: Finding) -> str:
    """What the code says to have Checkov skip the check there, in the form that the file takes."""
    check = finding.check_id
    if finding.framework in _IN_ANNOTATIONS:
        return f"metadata.annotations:\n  checkov.io/skip1: {check}=WHY"
    if finding.file_path.endswith(_JSON):
        return f'"Metadata": {{"checkov": {{"skip": [{{"id": "{check}", "comment": "WHY"}}]}}}}'
    return f"#checkov:skip={check}:WHY"


def entry(finding: Finding, expires: date) -> str:
    """An entry of the project's suppressions file."""
    return f"  - {{id: {finding.fingerprint}, reason: WHY, owner: WHO, expires: {expires.isoformat()}}}"
