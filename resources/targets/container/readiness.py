"""Wait until the containers of a pod are ready, or certain not to become so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic, sleep

from infraaudit_domain.kubernetes.pod_spec import ContainerPlan
from infraaudit_domain.kubernetes.probes import Probe
from resources.targets.container.pod import Pod
from resources.targets.container.probing import ask

_RESTARTS_THAT_ARE_A_LOOP = 3
_LONGEST_PAUSE = 1.0
# A container without a probe is ready once it has run this long.
_SETTLED_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a pod is ready, or why not."""

    ready: bool
    reason: str = ""
    details: tuple[tuple[str, str], ...] = ()


def wait_until_ready(
    pod: Pod,
    deadline: float,
    on_progress: Callable[[str], None],
    *,
    once: bool = False,
    before: Mapping[str, int] | None = None,
) -> Readiness:
    """Watch a pod until it is ready, loops, or ``deadline`` (of the monotonic clock) has passed.

    With ``once`` each probe runs a single time: is the pod healthy right now? ``before`` are the restarts of a pod that
    ran already, by container: they are no result of this start.
    """
    known = before or {}
    watches = [_Watch(pod, plan, once, known.get(plan.name, 0)) for plan in pod.plan.containers]
    published = pod.published()
    said = ""
    while True:
        waiting = ""
        for watch in watches:
            if failed := watch.failure():
                return Readiness(False, failed)
            waiting = waiting or watch.waits_for(published)
        if not waiting:
            return Readiness(True)
        if once or monotonic() >= deadline:
            return Readiness(False, waiting if once else f"It was not ready in time: {waiting}")
        if waiting != said:
            on_progress(waiting)
            said = waiting
        pauses = [probe.period_seconds for watch in watches if (probe := watch.current())]
        sleep(max(0.1, min([*pauses, _LONGEST_PAUSE, deadline - monotonic()])))


def held(pod: Pod, seconds: float, on_progress: Callable[[str], None]) -> Readiness:
    """Watch a pod that is ready for a while longer: it has to stay so, and none of its containers to restart.

    It is no longer ready once a probe has failed as often in a row as its manifest allows.
    """
    if seconds <= 0:
        return Readiness(True)
    on_progress(f"ready; it has to stay so for {seconds:g} s")
    began, first, published = monotonic(), restarts_of(pod), pod.published()
    watches = [_Watch(pod, plan, once=True) for plan in pod.plan.containers]
    while (age := monotonic() - began) < seconds:
        sleep(min(_LONGEST_PAUSE, max(seconds - age, 0.1)))
        lost = next(filter(None, (watch.failure() or watch.lost(published) for watch in watches)), "")
        again = [name for name, number in restarts_of(pod).items() if number > first.get(name, 0)]
        if again or lost:
            why = f"Container {again[0]} was restarted" if again else lost
            return Readiness(False, f"{why}, {monotonic() - began:.0f} s after it was ready (soak: {seconds:g} s)")
    return Readiness(True)


def restarts_of(pod: Pod) -> dict[str, int]:
    """How often each of its containers was restarted by the engine."""
    states = {plan.name: pod.state(plan) for plan in pod.plan.containers}
    return {name: state.restarts for name, state in states.items() if state}


@dataclass
class _Watch:
    """The progress of one container: first its start-up probe, then readiness, as often in a row as the manifest
    asks."""

    pod: Pod
    plan: ContainerPlan
    once: bool
    restarts_before: int = 0
    began: float = field(default_factory=monotonic)
    started_up: bool = False
    successes: int = 0
    failures: int = 0
    asked: float = float("-inf")

    def current(self) -> Probe | None:
        return self.plan.startup if self.plan.startup and not self.started_up else self.plan.readiness

    def failure(self) -> str:
        """Why this container will never become ready; empty while it may."""
        name, state = self.plan.name, self.pod.state(self.plan)
        if state is None:
            return f"Container {name} is gone: someone removed it."
        why = "was out of memory" if state.out_of_memory else f"ended with exit code {state.exit_code}"
        # While it runs the engine does not report how it ended before; an engine that restarts at once rarely shows it.
        restarts = state.restarts - self.restarts_before
        loops = restarts >= _RESTARTS_THAT_ARE_A_LOOP
        if loops and state.status == "running" and not state.out_of_memory:
            why = "keeps ending"
            loops = restarts >= 2 * _RESTARTS_THAT_ARE_A_LOOP
        if loops and not self.once:
            return f"Container {name} crashes again and again: it {why}.{self._last_words()}"
        if state.status not in ("running", "restarting", "created"):
            return f"Container {name} {why} and stays stopped.{self._last_words()}"
        return f"Container {name} {why} and restarts." if self.once and state.status == "restarting" else ""

    def waits_for(self, published: dict[int, int]) -> str:
        """What is still missing; empty where the container is ready."""
        probe = self.current()
        age = monotonic() - self.began
        if probe is None:
            settled = max(_SETTLED_SECONDS, self.pod.plan.min_ready_seconds)
            return "" if self.once or age >= settled else f"container {self.plan.name} has to run {settled:g} s"
        if age < probe.delay_seconds and not self.once:
            return f"container {self.plan.name} is first probed after {probe.delay_seconds:g} s"
        answer = ask(self.pod.engine, self.pod.name(self.plan.name), probe, published)
        if answer:
            self.successes = 0
            return f"container {self.plan.name}: {answer}"
        if probe is self.plan.startup and probe is not self.plan.readiness:
            self.started_up = True
            return self.waits_for(published) if self.plan.readiness else ""
        self.successes += 1
        return "" if self.once or self.successes >= probe.successes else f"container {self.plan.name}: once is too few"

    def lost(self, published: dict[int, int]) -> str:
        """Why a container that was ready is no longer so; its probe is asked once a period."""
        probe = self.plan.readiness
        if probe is None or monotonic() - self.asked < probe.period_seconds:
            return ""
        self.asked = monotonic()
        answer = ask(self.pod.engine, self.pod.name(self.plan.name), probe, published)
        self.failures = self.failures + 1 if answer else 0
        return f"container {self.plan.name}: {answer}" if self.failures >= probe.failures else ""

    def _last_words(self) -> str:
        end = self.pod.log_end(self.plan.name, 10)
        return f" Its log ends:\n{end}" if end else ""
