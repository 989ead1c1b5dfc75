"""Deployments of random releases by two machines, one of which may die, stand still, or lose its API server at any request.

After each attempt that ended for certain, what is there has to be what the last healthy release said.
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from infraaudit.deploying import attempt, cut_off
from infraaudit.deploying import deploy as deploying
from infraaudit_domain.delivery.deployments import NOWHERE, Deployment, Outcome, Release
from infraaudit_domain.errors import InfraAuditError
from resources.git.mirror import Mirror
from resources.history.deployments import deployments
from resources.manifests.files import parse_manifests
from resources.targets.cluster import applying, connection, lease, owners, target, watching
from tests.infraaudit.deploying.cluster_releases import RELEASES, documents, of_others
from tests.resources.databases import migrated_history
from tests.resources.targets.cluster.client_line import Fault, KilledError, connected
from tests.resources.targets.cluster.object_store import Document, ObjectStore

TIMEOUT = 20
SHAS = [f"{number:040x}" for number in range(1, 200)]
FAULTS = st.one_of(
    st.none(),
    st.builds(Fault, st.sampled_from(["kill", "die", "stop"]), st.sampled_from(range(1, 45))),
    st.builds(
        Fault,
        st.sampled_from(["silence", "lost", "503", "403", "401", "409"]),
        st.sampled_from(range(1, 45)),
        st.sampled_from([1, 5, 40, 10_000]),
    ),
)


class Clock:
    """Time that passes when somebody sleeps, and at every look, so that nothing waits for ever."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        self.now += 0.001
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def date(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.monotonic())

    def functions(self) -> dict[str, Any]:
        return {
            "monotonic": self.monotonic, "sleep": self.sleep, "clock_gettime": lambda which: self.monotonic(),
            "CLOCK_BOOTTIME": None,
        }  # fmt: skip

    def install(self, patch: pytest.MonkeyPatch) -> None:
        for module in (applying, connection, lease, owners, target, watching):
            patch.setattr(module, "time", SimpleNamespace(**self.functions()))
        for module in (attempt, cut_off, deploying):
            patch.setattr(module, "datetime", SimpleNamespace(now=lambda zone: self.date()))


@dataclass
class Expected:
    """What has to be there, as far as it is known."""

    live: dict[str, Document] = field(default_factory=dict)
    """Of the last healthy release, and what earlier ones left where nothing is pruned."""
    unknown: set[str] = field(default_factory=set)
    """Leftovers of earlier healthy releases that an attempt has touched that nobody saw the end of."""
    is_certain: bool = True


class Deliveries(RuleBasedStateMachine):
    """Whatever happens to the attempts, the namespace and the history stay explicable."""

    @initialize(prune=st.booleans())
    def begin(self, prune: bool) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.patch, self.clock = pytest.MonkeyPatch(), Clock()
        self.clock.install(self.patch)
        self.history = migrated_history(Path(self.folder.name))
        self.store, self.prune, self.expected = ObjectStore(self.clock.date), prune, Expected()
        for document in of_others():
            self.store.answer("POST", "/api/v1/namespaces/x/configmaps", {}, document, "application/json")
        self.others = {name: json.dumps(found, sort_keys=True) for name, found in self.store.objects.items()}
        self.releases: dict[str, dict[str, Any]] = {}
        self.attempts: list[tuple[str, int, bool]] = []

    def teardown(self) -> None:
        if hasattr(self, "patch"):
            self.patch.undo()
            self.history.close()
            self.folder.cleanup()

    @rule(machine=st.sampled_from("AB"), parts=RELEASES, fault=FAULTS, other=RELEASES)
    def deliver_new(self, machine: str, parts: dict[str, Any], fault: Fault | None, other: dict[str, Any]) -> None:
        meanwhile = lambda: self._stand_still("A" if machine == "B" else "B", other)  # noqa: E731
        self._deliver(machine, SHAS[len(self.releases)], parts, fault, meanwhile)

    @rule(machine=st.sampled_from("AB"), number=st.integers(0, 200), fault=FAULTS)
    def deliver_again(self, machine: str, number: int, fault: Fault | None) -> None:
        if self.releases and (fault is None or fault.what != "stop"):
            sha = list(self.releases)[number % len(self.releases)]
            self._deliver(machine, sha, self.releases[sha], fault)

    def _stand_still(self, other: str, parts: dict[str, Any]) -> None:
        self.clock.sleep(lease.DURATION_SECONDS + 5)
        self._deliver(other, SHAS[len(self.releases)], parts, None)

    def _deliver(
        self,
        machine: str,
        sha: str,
        parts: dict[str, Any],
        fault: Fault | None,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        self.releases[sha] = parts
        text = "---\n".join(f"{json.dumps(one)}\n" for one in documents(parts, sha))
        release = Release("shop", "production", sha, "i", text)
        self.clock.sleep(5)
        before = len(self._rows())
        note(f"{machine} delivers {sha[-2:]} {parts} with {fault}")
        ended = self._attempted(machine, release, fault, meanwhile)
        note(f"  {ended.outcome.value if ended else 'killed'}: {(ended.reason if ended else '')[:300]!r}")
        rows = self._rows()
        begun = len(rows) - before
        assert begun >= (1 if ended else 0), f"{sha} has left no row"
        self._settle(ended, release)

    def _attempted(
        self, machine: str, release: Release, fault: Fault | None, meanwhile: Callable[[], None]
    ) -> Deployment | None:
        """The row of the attempt; None where its process was killed before it had ended."""
        began = self.clock.date()
        mirror = Mirror("/nowhere", Path(self.folder.name) / machine / "mirrors" / "shop")
        cluster = connected(self.store, fault, meanwhile)
        try:
            return deploying.deploy(
                self.history, mirror, target.KubernetesTarget(cluster, "x", prune=self.prune), release,
                timeout=TIMEOUT, superseded=lambda live: "", on_progress=lambda line: None,
            )  # fmt: skip
        except KilledError:
            row = self.history.last_deployment("shop", "production", release.sha)
            return row if row and row.started_at > began and row.outcome is not Outcome.RUNNING else None
        except InfraAuditError as error:
            if not error.retryable:
                raise
            return self.history.last_deployment("shop", "production", release.sha)

    def _settle(self, ended: Deployment | None, release: Release) -> None:
        brought = {_name(one): one for one in parse_manifests(release.manifests)}
        known, live = self.expected, self.history.live("shop", "production")
        if ended is not None and ended.is_live:
            if live is None or live.sha != release.sha:  # Another one went live before this one's process went on.
                of_live = {_name(one) for one in parse_manifests(live.manifests)} if live else set()
                known.unknown |= set(brought) - of_live
                return
            kept = {} if self.prune else {name: one for name, one in known.live.items() if name not in brought}
            unknown = set() if self.prune else known.unknown - set(brought)
            self.expected = Expected({**kept, **brought}, unknown)
        elif ended is not None and ended.target == NOWHERE:
            return
        elif ended is None or is_in_doubt(ended):
            of_live = {_name(one) for one in parse_manifests(live.manifests)} if live else set()
            self.expected = replace(known, is_certain=False, unknown=known.unknown | (set(brought) - of_live))
        elif ended.outcome is not Outcome.FAILED or "Nothing was changed" not in ended.reason:
            self.expected = replace(known, is_certain=True)

    def _rows(self) -> list[Deployment]:
        return deployments(self.history, "shop")

    @invariant()
    def nothing_of_others_is_touched(self) -> None:
        if hasattr(self, "store"):
            now = {name: json.dumps(self.store.objects.get(name), sort_keys=True) for name in self.others}
            assert now == self.others

    @invariant()
    def each_attempt_has_one_row(self) -> None:
        if hasattr(self, "history"):
            rows = self._rows()
            assert len({(row.sha, row.started_at) for row in rows}) == len(rows)
            assert all(row.outcome is not Outcome.RUNNING for row in rows[1:]) or not self.expected.is_certain

    @invariant()
    def what_is_there_is_what_the_last_healthy_release_said(self) -> None:
        if not hasattr(self, "store") or not self.expected.is_certain:
            return
        there = {
            name: one for name, one in self.store.objects.items() if name not in self.others and one["kind"] != "Lease"
        }
        wanted = self.expected.live
        healthy = {row.sha for row in self._rows() if row.outcome is Outcome.DEPLOYED}
        for name, one in there.items():
            commit = one["metadata"]["annotations"]["infraaudit/commit"]
            assert commit in healthy or name in self.expected.unknown, f"{name} is of {commit[-2:]}, which failed"
        for name, one in wanted.items():
            if one["kind"] != "Job" and name not in self.expected.unknown:
                assert name in there, f"{name} is gone"
                assert _shown(there[name]) == _shown(one), f"{name} is another"
        more = {name for name in there if name not in wanted and name not in self.expected.unknown}
        assert not more, f"left: {more}"


def is_in_doubt(ended: Deployment) -> bool:
    """Whether the attempt itself says that it does not know what it has left."""
    says_so = "Nothing was put back" in ended.reason or "could not be" in ended.reason
    return ended.outcome in (Outcome.INTERRUPTED, Outcome.DEGRADED) or says_so


def _name(document: Document) -> str:
    return f"{document['kind']}/{document['metadata']['name']}"


def _shown(document: Document) -> Document:
    metadata = {name: document["metadata"].get(name) for name in ("labels", "annotations")}
    return {"metadata": metadata, **{name: document.get(name) for name in ("data", "spec")}}
