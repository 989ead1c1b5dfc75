import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.kubernetes.kustomization import kustomization_faults

json_like = st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["resources", "patches", "path", "configMapGenerator", "files", "env"]), inner
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"helmCharts": [{"name": "x"}]}, "uses helmCharts"),
        ({"generators": ["exec.yaml"]}, "uses generators"),
        ({"transformers": ["x.yaml"], "openapi": {"path": "/etc/passwd"}}, "uses openapi, transformers"),
        ({"resources": ["https://example.org/x.yaml"]}, "https://example.org"),
        ({"resources": ["git@example.org:a/b"]}, "git@example.org"),
        ({"resources": ["git::ssh://example.org/b"]}, "git::ssh"),
        ({"bases": ["github.com/kubernetes-sigs/kustomize"]}, "github.com"),
        ({"resources": ["GitHub.com/kubernetes-sigs/kustomize"]}, "GitHub.com"),
        ({"resources": ["/etc"]}, "'/etc'"),
        ({"configMapGenerator": [{"name": "x", "files": ["a=/etc/passwd"]}]}, "/etc/passwd"),
        ({"secretGenerator": [{"name": "x", "commands": {"a": "id"}}]}, "secretGenerator uses commands"),
        ({"secretGenerator": [{"name": "x", "envs": ["~/.env"]}]}, "~/.env"),
        ({"patches": [{"path": "https://example.org/p"}]}, "https://example.org/p"),
        ([], "is no mapping"),
    ],
)
def test_what_starts_programs_or_reads_elsewhere_is_refused(document: object, reason: str) -> None:
    assert reason in "\n".join(kustomization_faults(document))


def test_an_ordinary_overlay_passes() -> None:
    document = {
        "resources": ["../../base", "extra.yaml"], "namePrefix": "a-", "images": [{"name": "x", "newTag": "2"}],
        "patchesStrategicMerge": ["patch.yaml", "kind: Deployment\nmetadata: {name: https://x}"],
        "configMapGenerator": [{"name": "x", "literals": ["a=/b"], "files": ["app.ini"]}],
    }  # fmt: skip
    assert list(kustomization_faults(document)) == []


@given(json_like)
def test_no_shape_breaks_it(document: object) -> None:
    list(kustomization_faults(document))
