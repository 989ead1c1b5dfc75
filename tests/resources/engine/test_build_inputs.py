from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.commits import TreeEntry
from resources.engine.build_inputs import BuildInputs, context_entries, inputs_digest
from resources.engine.client import Builder

TREE = [
    TreeEntry("100644", f"{n:040x}", 1, path)
    for n, path in enumerate(["docker/Dockerfile", "src/a.py", "src/a.pyc", "src/tests/b.py", "docs/x/y.md", "secret"])
]
INPUTS = BuildInputs("1" * 40, TREE, "docker/Dockerfile", "ARG BASE=a:1\nFROM $BASE\nCOPY . .\n", ".", {})


def _sent(ignore: str, **changes: Any) -> set[str]:
    name = changes.pop("name", ".dockerignore")
    inputs = replace(INPUTS, tree=[*TREE, TreeEntry("100644", "f" * 40, 1, name)], **changes)
    entries = context_entries(inputs, lambda path: ignore.encode() if path == name else None)
    return {entry.path for entry in entries} - {name}


def test_what_dockerignore_leaves_out_is_not_sent() -> None:
    everything = {entry.path for entry in TREE}
    assert _sent("") == everything
    assert _sent("# a comment\n**/*.pyc\n/docs\nsecret") == {"docker/Dockerfile", "src/a.py", "src/tests/b.py"}
    assert _sent("*\n!src\nsrc/*.pyc\n") == {"docker/Dockerfile", "src/a.py", "src/tests/b.py"}
    assert _sent("**\n") == {"docker/Dockerfile"}
    assert _sent("**/*.py[cod]\n") == everything - {"src/a.pyc"}
    assert _sent("*.py\n", context="src", name="src/.dockerignore") == {"src/a.pyc", "src/tests/b.py"}
    assert _sent("*\n", name="docker/Dockerfile.dockerignore") == {"docker/Dockerfile"}


@pytest.mark.parametrize(
    ("builder", "followed"),
    [
        (Builder.BUILDX, {"docker/Dockerfile.dockerignore", ".dockerignore"}),
        (Builder.BUILDKIT, {"docker/Dockerfile.dockerignore", ".dockerignore"}),
        (Builder.LEGACY, {".dockerignore"}),
        (Builder.PODMAN, {".containerignore", ".dockerignore"}),
    ],
)
def test_each_builder_has_its_own_ignore_file(builder: Builder, followed: set[str]) -> None:
    everything = {entry.path for entry in TREE}
    for kind in ("dockerignore", "containerignore"):
        for name in (f".{kind}", f"docker/Dockerfile.{kind}"):
            wanted = everything - {"secret"} if name in followed else everything
            assert _sent("secret", name=name, builder=builder) == wanted, name


def test_podman_prefers_its_own_name() -> None:
    files = {".containerignore": b"docs", ".dockerignore": b"secret"}
    tree = [*TREE, *(TreeEntry("100644", "f" * 40, 1, name) for name in files)]
    sent = context_entries(replace(INPUTS, tree=tree, builder=Builder.PODMAN), files.get)
    paths = {entry.path for entry in sent}
    assert "secret" in paths and "docs/x/y.md" not in paths


def test_a_hostile_dockerignore_is_not_followed() -> None:
    everything = {entry.path for entry in TREE}
    assert _sent("*a*a*a*a*a*b\nsecret") == everything
    assert _sent("\n".join(["secret"] * 501)) == everything
    assert _sent("x" * 301 + "\nsecret") == everything


def test_each_input_changes_the_digest_and_the_commit_alone_does_not() -> None:
    def digest(inputs: BuildInputs, base: str | None = "sha256:1") -> str:
        return inputs_digest(inputs, lambda path: None, lambda reference: base)

    first = digest(INPUTS)
    assert len(first) == 64 and digest(replace(INPUTS, sha="2" * 40)) == first
    assert digest(replace(INPUTS, tree=list(reversed(TREE)))) == first
    changed = [
        digest(INPUTS, "sha256:2"),
        digest(INPUTS, None),
        digest(replace(INPUTS, sha="2" * 40), None),
        digest(replace(INPUTS, build_args={"A": "1"})),
        digest(replace(INPUTS, build_args={"A": "2"})),
        digest(replace(INPUTS, dockerfile_text=INPUTS.dockerfile_text + "USER 1\n")),
        digest(replace(INPUTS, tree=TREE[:-1])),
        digest(replace(INPUTS, tree=[*TREE[:-1], replace(TREE[-1], mode="100755")])),
        digest(replace(INPUTS, tree=[*TREE[:-1], replace(TREE[-1], path="renamed")])),
        digest(replace(INPUTS, tree=[*TREE[:-1], replace(TREE[-1], blob="e" * 40)])),
    ]
    assert len({first, *changed}) == len(changed) + 1


@given(st.text(alphabet="*?[]!/.\\abc#\n ", max_size=60))
def test_any_dockerignore_is_followed_or_ignored_in_no_time(text: str) -> None:
    assert "docker/Dockerfile" in _sent(text)
