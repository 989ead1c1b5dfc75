"""A kustomization and a chart, and what a scan finds in their renderings."""

import shutil

import pytest

from infraaudit_domain.scans.findings import Finding, FrameworkScan, Scan
from resources.checkov import CheckovRunner
from tests.conftest import Repository

CONFIG = "none.yaml"
WEB = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          securityContext:
            privileged: false
"""
PATCH = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
        - name: web
          securityContext:
            privileged: true
"""
BASE, PROD = "base/kustomization.yaml", "prod/kustomization.yaml"
FILES: dict[str, str | None] = {
    "base/web.yaml": "# a comment\n" + WEB,
    BASE: "resources: [web.yaml]\n",
    PROD: "resources: [../base]\nnamePrefix: prod-\npatches: [{path: patch.yaml}]\n",
    "prod/patch.yaml": PATCH,
}
PRIVILEGED = "CKV_K8S_16"
NAME = f"Deployment.default.web (rendered by {PROD})"
needs_kustomize = pytest.mark.skipif(
    not (shutil.which("kustomize") or shutil.which("kubectl")), reason="neither kustomize nor kubectl is installed"
)
needs_helm = pytest.mark.skipif(not shutil.which("helm"), reason="helm is not installed")


def scan(runner: CheckovRunner, repository: Repository, files: dict[str, str | None]) -> Scan:
    sha = repository.write(files, "files")
    return runner.scan(repository.mirror(), sha, CONFIG)


def kubernetes(scanned: Scan) -> FrameworkScan:
    return next(one for one in scanned.frameworks if one.framework == "kubernetes")


def gaps(scanned: Scan) -> dict[str, str]:
    return {gap.path: gap.reason for gap in kubernetes(scanned).unreadable}


def found(scanned: Scan, check: str) -> list[Finding]:
    return [finding for finding in kubernetes(scanned).findings if finding.check_id == check]


CHART = {
    "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "web/values.yaml": "privileged: true\nextra: false\n",
    "web/templates/web.yaml": WEB.replace("privileged: false", "privileged: {{ .Values.privileged }}"),
    "web/templates/extra.yaml": "{{- if .Values.extra }}\n" + WEB.replace(": web\n", ": {{ .Values.name }}\n") + "{{- end }}\n",
}  # fmt: skip
