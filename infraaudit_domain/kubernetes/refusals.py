"""What an API server's refusal means, and what to do about it: by the cause it names, not by the class of the error.

Deliberately absent: asking the server, and deciding whether to ask again (resources/targets/cluster/connection.py).
"""

import re
from collections.abc import Mapping
from typing import Any

from infraaudit_domain.errors import excerpt
from infraaudit_domain.kubernetes.fields import items, mapping

_LONGEST = 600
_GO_VALUE = re.compile(
    r"(Invalid value: )(?:[\w.*&\[\]]*\{.*\}|\"[^\"]{200,}\"|&?[\w.]+\(0x[0-9a-f]+\))(?=: )", re.DOTALL
)
"""A value of Go's, written out; the field that it stands in says more."""
_IMMUTABLE = re.compile(r"field is immutable|updates to statefulset spec for fields other than|may not be changed")
_CAUSES = tuple(
    (statuses, re.compile(pattern, re.IGNORECASE), advice)
    for statuses, pattern, advice in (
        ((404,), r"namespaces? \"([^\"]+)\" not found",
         "Create the namespace ({0}), or correct `namespace` of the environment."),
        ((403, 409), r"namespace (\S+) because it is being terminated",
         "The namespace {0} is being deleted: wait until it is gone, then create it again."),
        ((403,), r"exceeded quota",
         "Raise the namespace's ResourceQuota, or ask for less in the manifest."),
        ((403,), r"violates PodSecurity",
         "The namespace enforces Pod Security: change the pod, or the label pod-security.kubernetes.io/enforce."),
        ((403,), r"(?:maximum|minimum) \S+ usage per|limit to request ratio",
         "The namespace's LimitRange does not let it: change the resources of the container, or the LimitRange."),
        ((403,), r"must specify (?:limits|requests)|failed quota",
         "The namespace's ResourceQuota counts it: give the container resources.requests and resources.limits."),
        ((403,), r"cannot \S+ resource|cannot (?:get|list|create|patch|delete|update)",
         "Give InfraAudit's account that right (configs/kubernetes/role.yaml)."),
        (None, r"admission webhook \"([^\"]+)\" denied|ValidatingAdmissionPolicy '([^']+)'",
         "A rule of the cluster ({0}) refuses it: change the manifest as it says, or that rule."),
        (None, r"failed calling webhook \"([^\"]+)\"",
         "The service of the cluster's admission webhook {0} does not answer: bring it up, or remove the webhook."),
        (None, r"request entity too large|etcdserver: request is too large|must have at most \d+ bytes|limit is \d+",
         "The object is larger than the cluster takes (a ConfigMap or Secret holds 1 MiB): make it smaller."),
        (None, r"etcdserver: mvcc: database space exceeded",
         "The cluster's database is full: it takes no change until etcd is compacted and its alarm disarmed."),
    )
)  # fmt: skip
_BY_STATUS = {
    401: "The login has expired; renew the kubeconfig.",
    403: "The cluster forbids it: ask who administers it, or change the manifest.",
    404: "It is not there any more: run the commit again.",
    405: "The cluster does not offer this for its kind; deploy another kind.",
    409: "Another field manager owns a field; decide which one should: remove it from the manifest, or set "
    "force_conflicts of the environment.",
    413: "The object is larger than the cluster takes (a ConfigMap or Secret holds 1 MiB): make it smaller.",
}


def in_words(status: Mapping[str, Any], otherwise: str) -> str:
    """The reason that a Status object gives, by field and without the values of Go that it is written with."""
    causes = [mapping(cause) for cause in items(mapping(status.get("details")).get("causes"))]
    named = [f"{cause['field']}: {_plain(str(cause.get('message')))}" for cause in causes if cause.get("field")]
    message = _plain(str(status.get("message") or otherwise))
    is_a_conflict = any(cause.get("reason") == "FieldManagerConflict" for cause in causes)
    return excerpt("; ".join(named) if named and not is_a_conflict else message, _LONGEST)


def advice(code: int, words: str) -> str:
    """What to do about a refusal: by the cause in its words, else by its code."""
    for codes, pattern, what in _CAUSES:
        if (codes is None or code in codes) and (found := pattern.search(words)):
            return what.format(next(filter(None, found.groups()), ""))
    if _IMMUTABLE.search(words):
        return "That field cannot be changed once the object exists: keep it, or give the object another name."
    return _BY_STATUS.get(code, "Correct the manifest.")


def _plain(message: str) -> str:
    return _GO_VALUE.sub(r"\1…", message)
