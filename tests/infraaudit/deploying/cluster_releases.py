"""Random releases of a small shop, and the objects of others beside it."""

from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]
VALUES = st.integers(0, 2)
RELEASES = st.fixed_dictionaries(
    {"web": st.tuples(VALUES, st.sampled_from(["run", "run", "run", "crash", "hang"]))},
    optional={
        "a": VALUES, "b": VALUES, "worker": st.tuples(VALUES, st.sampled_from(["run", "run", "crash"])),
        "migrate": st.sampled_from(["run", "run", "fail"]),
        "theirs": st.just(0),
    },
)  # fmt: skip


def documents(parts: dict[str, Any], sha: str) -> list[Document]:
    """A release's objects, marked as the pipeline marks them."""
    marks = {"labels": {"app.kubernetes.io/managed-by": "infraaudit", "infraaudit/project": "shop"},
             "annotations": {"infraaudit/commit": sha, "infraaudit/environment": "production"}}  # fmt: skip
    made = []
    for name, value in parts.items():
        if name in ("web", "worker"):
            made.append(_workload("apps/v1", "Deployment", name, value[0], value[1], marks))
        elif name == "migrate":
            job = _workload("batch/v1", "Job", name, 0, value, marks)
            job["metadata"]["annotations"] = marks["annotations"] | {"infraaudit.io/hook": "pre-deploy"}
            made.append(job)
        else:
            made.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **marks},
                         "data": {"value": str(value), f"only{value}": "x"}})  # fmt: skip
    return made


def _workload(version: str, kind: str, name: str, value: int, how: str, marks: Document) -> Document:
    labels = {"app": name} | marks["labels"]
    container = {"name": "web", "image": "i", "args": [how], "env": [{"name": "VALUE", "value": str(value)}]}
    pod = {"containers": [container], "restartPolicy": "Never" if kind == "Job" else "Always"}
    template = {"metadata": {"labels": labels, "annotations": marks["annotations"]}, "spec": pod}
    spec: Document = {"template": template}
    if kind == "Deployment":
        spec |= {"replicas": 1, "selector": {"matchLabels": {"app": name}}}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **marks}, "spec": spec}


def of_others() -> list[Document]:
    """Of nobody, of another project, and of another environment."""
    found = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}, "data": {"a": "b"}}]
    for name, project, environment in (("other", "other", "production"), ("staged", "shop", "staging")):
        labels = {"app.kubernetes.io/managed-by": "infraaudit", "infraaudit/project": project}
        metadata = {"name": name, "labels": labels, "annotations": {"infraaudit/environment": environment}}
        found.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}})
    return found
