"""Findings whose resources moved: positions begin and end no life, and each finding has one successor at most."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.lifecycles.causes import Circumstances
from infraaudit_domain.lifecycles.changes import compare_scans
from infraaudit_domain.lifecycles.lifecycle import advance, after
from infraaudit_domain.lifecycles.moved_blocks import Move, moves_in
from infraaudit_domain.lifecycles.readings import PartReading, Reading, proves_lack
from infraaudit_domain.lifecycles.spans import Span
from infraaudit_domain.lifecycles.successors import successors
from infraaudit_domain.scans.checkov_report import with_ordinals
from infraaudit_domain.scans.evidence import Evidence
from infraaudit_domain.scans.findings import Finding
from infraaudit_domain.scans.resource_names import position_free
from tests.infraaudit_domain.judging.test_changes_and_gate import scan
from tests.infraaudit_domain.lifecycles.test_lives_of_edited_files import EditedPast
from tests.sizes import examples

steps = st.lists(st.tuples(st.sampled_from(["", "a", "b"]), st.booleans()), min_size=1, max_size=6)
"""Each step has a name or none, and is bad or not."""


def found(workflow: list[tuple[str, bool]]) -> list[Finding]:
    names = (f"jobs(j).steps[{at}]" + (f"({name})" if name else "") for at, (name, _) in enumerate(workflow, 1))
    bad = ((name, at) for at, (name, (_, is_bad)) in enumerate(zip(names, workflow, strict=True)) if is_bad)
    return list(with_ordinals(Finding("github_actions", "C", "n", "ci.yml", name, at, at) for name, at in bad))


def reading(position: int, workflow: list[tuple[str, bool]]) -> Reading:
    marks = {finding.fingerprint: finding for finding in found(workflow)}
    return Reading(str(position), position, marks, {"github_actions": PartReading()}, Circumstances("3", "c"))


@given(st.lists(steps, min_size=2, max_size=5), st.randoms(use_true_random=False))
@examples(100)
def test_good_steps_that_come_and_go_and_a_new_order_begin_and_end_no_life(
    histories: list[list[tuple[str, bool]]], shuffle: random.Random
) -> None:
    bad = [step for step in histories[0] if step[1]]
    active: dict[str, Span] = {}
    before: Reading | None = None
    lives: list[str] = []
    for position, others in enumerate(histories):
        workflow = bad + [step for step in others if not step[1]]
        shuffle.shuffle(workflow)
        now = reading(position, workflow)
        step = advance(active, before, now, EditedPast([], position, {}, before))
        active, before = after(active, step), now
        lives = lives or sorted(span.life for span in active.values())
        assert sorted(span.life for span in active.values()) == lives
        assert set(active) == set(now.findings)
        assert position == 0 or {span.started_as for span in step.started} <= {"moved"}


@given(steps, steps)
def test_what_is_new_and_what_is_gone_make_up_the_difference(
    left: list[tuple[str, bool]], right: list[tuple[str, bool]]
) -> None:
    before, now = found(left), found(right)
    pairs = successors({f.fingerprint: f for f in before}, {f.fingerprint: f for f in now}, {})
    assert len({finding.fingerprint for finding in pairs.values()}) == len(pairs)
    changes = compare_scans(scan(*before), scan(*now), {})
    assert len(before) + len(changes.new) + len(changes.perhaps_new) - len(changes.fixed) - len(changes.unread) == len(
        now
    )


def test_equal_steps_keep_their_order_where_one_is_put_before_them() -> None:
    before, now = found([("", True), ("", True)]), found([("", False), ("", True), ("", True)])
    pairs = successors({f.fingerprint: f for f in before}, {f.fingerprint: f for f in now}, {})
    assert [pairs[finding.fingerprint] for finding in before] == now


@pytest.mark.parametrize(
    ("framework", "path", "resource", "free"),
    [
        ("github_actions", "ci.yml", "jobs(a[1]).steps[12](b[2])", "jobs(a[1]).steps(b[2])"),
        ("circleci_pipelines", "c.yml", "jobs(build).docker.image[1](a:1)", "jobs(build).docker.image(a:1)"),
        ("azure_pipelines", "a.yml", "stages[0](x).jobs[1](y)", "stages(x).jobs(y)"),
        ("gitlab_ci", ".gitlab-ci.yml", "build.rules.2", "build.rules"),
        ("argo_workflows", "a/w.yaml", "/a/w.yaml.spec.spec.CKV_ARGO_2[5:11]", "spec.spec.CKV_ARGO_2"),
        ("dockerfile", "docker/Dockerfile", "/docker/Dockerfile.RUN", "RUN"),
        ("terraform", "main.tf", 'aws_s3_bucket.a["k"]', 'aws_s3_bucket.a["k"]'),
        ("kubernetes", "k.yaml", "Pod.default.p-1", "Pod.default.p-1"),
    ],
)  # fmt: skip
def test_names_hold_no_positions(framework: str, path: str, resource: str, free: str) -> None:
    assert position_free(Finding(framework, "C", "n", path, resource, 1, 2)) == free


@pytest.mark.parametrize(
    ("framework", "old", "new", "is_same"),
    [
        ("terraform", "s.a", 's.a["k"]', True),
        ("terraform", 's.a["k"]', 's.a["l"]', True),
        ("terraform", 'module.m["k"].s.a', 'module.m["l"].s.a["k"]', True),
        ("terraform", "s.a", "s.b", False),
        ("kubernetes", "Pod.default.web", "Pod.prod.web", True),
        ("kubernetes", "Pod.a.web (rendered by k/kustomization.yaml)", "Pod.b.web (rendered by k/kustomization.yaml)", True),
        ("kubernetes", "Pod.default.web", "Pod.default.wab", False),
        ("kubernetes", "Pod.default.a.b", "Pod.default.c.b", False),
        ("kubernetes", "Pod.default.web.app-web", "Pod.default.web.app-web.version-v2", True),
        ("kubernetes", "Pod.default.web.app-web", "Pod.default.web.app.kubernetes.io/name-web", True),
        ("kubernetes", "Pod.default.web.app-", "Pod.prod.web.version-1.2.app-web", True),
        ("kubernetes", "Pod.a.web.app-b (rendered by k/kustomization.yaml)", "Pod.a.web.app-c (rendered by k/kustomization.yaml)", True),
        ("kubernetes", "Pod.a.web.app-b (rendered by k/kustomization.yaml)", "Pod.a.web.app-c (rendered by l/kustomization.yaml)", False),
        ("kubernetes", "Pod.default.web.app-web", "Pod.default.db.app-web", False),
        ("kubernetes", "Pod.default.web", "Pod.default.web.app-web", True),
        ("kubernetes", "ConfigMap.default.web.app-a", "ConfigMap.default.web.app-b", False),
        ("github_actions", "on(Lint)", "on(Ansible Lint)", True),
        ("github_actions", "on", "on(CI (main))", True),
        ("github_actions", "on(a\nb)", "on", True),
        ("github_actions", "on(Lint)", "jobs(Lint)", False),
        ("ansible", "tasks.apt.get", "tasks.block.block.apt.get", True),
        ("ansible", "tasks.apt.get", "tasks.apt.fetch", False),
        ("github_actions", "jobs(a).steps[1]", "jobs(a).steps[1](greet)", True),
        ("github_actions", "jobs(a).steps[1](greet)", "jobs(a).steps[1]", True),
        ("github_actions", "jobs(a).steps[1](greet)", "jobs(a).steps[1](wave)", False),
        ("github_actions", "jobs(a).steps[1]", "jobs(a).steps[2](greet)", False),
        ("azure_pipelines", "stages[0].jobs[1](b)", "stages[0](a).jobs[1](b)", False),
        ("azure_pipelines", "jobs[1]", "jobs[1](b)", True),
    ],
)  # fmt: skip
def test_what_a_resource_stands_in_is_no_part_of_it(framework: str, old: str, new: str, is_same: bool) -> None:
    one, other = (Finding(framework, "C", "n", "a", resource, 1, 2) for resource in (old, new))
    assert bool(successors({"o": one}, {"n": other}, {})) is is_same


def test_of_several_templates_each_keeps_its_owner_and_none_is_guessed() -> None:
    def pods(*names: str) -> dict[str, Finding]:
        return {name: Finding("kubernetes", "C", "n", "a", f"Pod.default.{name}", 1, 2) for name in names}

    before, now = pods("web.app-1", "db.app-2"), pods("db.app-1", "web.app-2")
    assert successors(before, now, {}) == {"web.app-1": now["web.app-2"], "db.app-2": now["db.app-1"]}
    assert successors(pods("my.web.app-1", "my.db.app-1"), pods("my.web.app-2", "my.db.app-2"), {}) == {}


def test_a_key_keeps_its_finding_where_another_comes_before_it() -> None:
    before, now = ({key: bucket(f's.a["{key}"]') for key in keys} for keys in ("ab", "bc"))
    assert successors(before, now, {}) == {"a": now["c"]}


def bucket(resource: str, path: str = "main.tf") -> Finding:
    return Finding("terraform", "C", "n", path, resource, 1, 2)


@pytest.mark.parametrize(
    ("old", "new", "moves"),
    [
        (bucket("s.a"), bucket("s.b"), [Move("", "s.a", "s.b")]),
        (bucket("s.a"), bucket("s.c"), [Move("", "s.b", "s.c"), Move("", "s.a", "s.b")]),
        (bucket("s.a[0]"), bucket("s.b[0]"), [Move("", "s.a", "s.b")]),
        (bucket("s.a"), bucket('s.a["k"]'), [Move("", "s.a", 's.a["k"]')]),
        (bucket("s.a"), bucket("module.m.s.b", "m/main.tf"), [Move("", "s.a", "module.m.s.b")]),
        (bucket("module.m.s.a", "m/main.tf"), bucket("s.a"), [Move("", "module.m.s.a", "s.a")]),
        (bucket("module.m.s.a", "m/main.tf"), bucket("module.n.s.a", "n/main.tf"), [Move("", "module.m.s.a", "module.n.s.a")]),
        (bucket("module.m.s.a", "m/main.tf"), bucket("module.n[0].s.a", "m/main.tf"), [Move("", "module.m", "module.n[0]")]),
        (bucket("module.m.s.a", "m/main.tf"), bucket("module.m.s.b", "m/main.tf"), [Move("m", "s.a", "s.b")]),
        (bucket("module.m.s.a", "m/a.tf"), bucket("module.m.s.b", "m/b.tf"), [Move("m", "s.a", "s.b")]),
    ],
)  # fmt: skip
def test_moved_blocks_are_followed(old: Finding, new: Finding, moves: list[Move]) -> None:
    assert successors({"o": old}, {"n": new}, {}, lambda: moves) == {"o": new}


def test_the_same_block_in_many_folders_moves_what_is_beside_it() -> None:
    folders = [f"env{number}" for number in range(300)]
    old, new = ({f"{name}{at}": bucket(name, f"{at}/main.tf") for at in folders} for name in ("s.a", "s.b"))
    pairs = successors(old, new, {}, lambda: [Move(at, "s.a", "s.b") for at in folders])
    assert {old[mark].file_path: there.file_path for mark, there in pairs.items()} == {
        f"{at}/main.tf": f"{at}/main.tf" for at in folders
    }


def test_a_block_of_another_module_moves_nothing() -> None:
    assert not successors({"o": bucket("s.a")}, {"n": bucket("s.b")}, {}, lambda: [Move("m", "s.a", "s.b")])


def test_blocks_are_asked_for_only_where_something_may_have_moved() -> None:
    def never() -> list[Move]:
        raise AssertionError("asked")

    assert successors({"o": bucket("s.a")}, {}, {}, never) == {}
    assert successors({}, {"n": bucket("s.a")}, {}, never) == {}


def test_comments_are_no_blocks() -> None:
    text = "/* moved {\n from = a.a\n to = a.b\n} */\n# moved {\nmoved {\n  from = a.c // old\n  # to = a.x\n  to = a.d\n}\n"
    assert moves_in("x/main.tf", text) == [Move("x", "a.c", "a.d")]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["moved {" * 140_000, "/*" * 500_000, "/**/" * 250_000, "moved {\n" * 120_000, "\t" * 1_000_000]
)
def test_a_hostile_file_is_read_in_linear_time(text: str) -> None:
    assert moves_in("main.tf", text) == []


def test_a_resource_at_another_position_without_a_verdict_is_not_gone() -> None:
    (finding,) = found([("a", True)])
    passed = {"ci.yml": {"jobs(j).steps[1]": frozenset({"C"}), "jobs(j).steps[2](a)": frozenset[str]()}}

    def proof(undecided: dict[str, frozenset[str]]) -> Reading:
        parts = {"github_actions": PartReading(evidence=Evidence(1, passed, undecided))}
        return Reading("s", 1, {}, parts, Circumstances("3", "c"))

    assert not proves_lack(proof({"ci.yml": frozenset({"C"})}), finding)
    assert proves_lack(proof({}), finding)
