"""How long a pod that is ready has to stay so, by answers of its probe that the test sets."""

from types import SimpleNamespace
from typing import Any

import pytest

from infraaudit_domain.kubernetes.probes import read_probe
from resources.targets.container import readiness


@pytest.mark.parametrize(
    ("answers", "ready"),
    [
        ([""], True),
        (["503", "503", "", "503", "503", ""], True),  # Twice in a row is less than the manifest allows.
        (["", "503"], False),
    ],
)
def test_a_soak_honours_how_often_a_probe_may_fail(
    answers: list[str], ready: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, given = [0.0], iter(answers)
    monkeypatch.setattr(readiness, "monotonic", lambda: now[0])
    monkeypatch.setattr(readiness, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    monkeypatch.setattr(readiness, "ask", lambda *_: next(given, answers[-1]))
    probe = read_probe({"tcpSocket": {"port": 80}, "periodSeconds": 2, "failureThreshold": 3}, {})
    plan = SimpleNamespace(name="app", startup=None, readiness=probe)
    state = SimpleNamespace(restarts=0, status="running", out_of_memory=False, exit_code=0)
    pod: Any = SimpleNamespace(
        plan=SimpleNamespace(containers=[plan]), engine=None, name=str, published=dict, state=lambda plan: state
    )
    done = readiness.held(pod, 20, lambda line: None)
    assert done.ready is ready
    assert ready or ("503, 7 s after it was ready" in done.reason and now[0] == 7)
