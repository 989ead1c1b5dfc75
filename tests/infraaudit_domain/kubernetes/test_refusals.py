"""Refusals as API servers word them: the advice is that of the cause."""

import pytest

from infraaudit_domain.kubernetes.refusals import advice, in_words

_POD = 'spec.template: Invalid value: core.PodTemplateSpec{ObjectMeta:v1.ObjectMeta{Name:"a: b"}, Spec:core.PodSpec{}}'


@pytest.mark.parametrize(
    ("code", "message", "said"),
    [
        (404, 'namespaces "shop-prod" not found', "Create the namespace (shop-prod)"),
        (403, 'configmaps "a" is forbidden: unable to create new content in namespace x because it is being terminated',
         "namespace x is being deleted"),
        (403, 'pods "web" is forbidden: exceeded quota: none, requested: pods=1', "ResourceQuota"),
        (403, 'pods "web" is forbidden: failed quota: q: must specify limits.cpu', "resources.limits"),
        (403, 'pods "w" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot', "Pod Security"),
        (403, 'pods "w" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi', "LimitRange"),
        (403, 'deployments.apps is forbidden: User "x" cannot patch resource "deployments"', "role.yaml"),
        (400, 'admission webhook "validate.kyverno.svc" denied the request: no', "validate.kyverno.svc"),
        (500, 'Internal error occurred: failed calling webhook "v.cert-manager.io": connection refused',
         "webhook v.cert-manager.io does not answer"),
        (413, "Request entity too large: limit is 3145728", "make it smaller"),
        (500, "etcdserver: request is too large", "make it smaller"),
        (422, f"Job.batch \"a\" is invalid: {_POD}: field is immutable", "cannot be changed once the object exists"),
        (422, 'Service "a" is invalid: spec.ports: Required value', "Correct the manifest."),
        (401, "Unauthorized", "renew the kubeconfig"),
    ],
)  # fmt: skip
def test_the_advice_is_of_the_cause(code: int, message: str, said: str) -> None:
    assert said in advice(code, message)


def test_a_refusal_is_said_by_field_and_without_values_of_go() -> None:
    cause = {
        "reason": "FieldValueInvalid",
        "field": "spec.template",
        "message": _POD.partition(": ")[2] + ": field is immutable",
    }
    status = {"message": f'Job.batch "a" is invalid: {_POD}: field is immutable', "details": {"causes": [cause]}}
    assert in_words(status, "") == "spec.template: Invalid value: …: field is immutable"
    assert in_words({"message": status["message"]}, "").endswith("spec.template: Invalid value: …: field is immutable")
    assert in_words({}, "Not Found") == "Not Found"
