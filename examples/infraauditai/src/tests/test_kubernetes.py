import pytest

from infraauditai.audit import audit
from infraauditai.findings import UnreadableInput

POD = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  hostPID: true
  containers:
    - name: app
      image: registry.example:5000/web
      securityContext: {privileged: true}
"""

SAFE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      securityContext: {runAsNonRoot: true}
      containers:
        - name: app
          image: registry.example:5000/web:1.4
          resources: {limits: {memory: 64Mi}}
"""


def test_every_fault_of_a_pod_is_told_the_worst_first() -> None:
    assert [finding.rule for finding in audit(POD)] == [
        "K8S_PRIVILEGED",
        "K8S_HOST_NAMESPACE",
        "K8S_MAY_BE_ROOT",
        "K8S_MOVING_IMAGE",
        "K8S_NO_MEMORY_LIMIT",
    ]


def test_a_careful_deployment_has_no_finding() -> None:
    assert audit(SAFE) == []


def test_a_digest_does_not_move() -> None:
    pinned = SAFE.replace("web:1.4", "web@sha256:" + "0" * 64)
    assert audit(pinned) == []


@pytest.mark.parametrize("text", ["", "just words", "- a\n- list", "key: [", "a: &a [1]\nb: [" + "*a," * 30 + "]"])
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(UnreadableInput):
        audit(text)
