"""Build a commit's image in its project's box, and say which of the box's walls a failed build ran into."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from infraaudit_domain.delivery.builds import BuildRules, Egress
from infraaudit_domain.delivery.dockerfile import images_read
from infraaudit_domain.delivery.images import Image
from infraaudit_domain.errors import BuildFailedError, EngineError, EngineUnavailableError
from resources.engine.box import firewall
from resources.engine.box.client import Box, discard, opened, stop
from resources.engine.box.registry_digest import registry_digest
from resources.engine.box.transfer import bring_in, take_out
from resources.engine.build_request import BuildRequest, image_labels, read_dockerfile
from resources.engine.builder import built_image_id, finished_image
from resources.engine.client import Engine

_FULL = re.compile(r"no space left on device|file too large|disk quota exceeded|exit code: 153\b", re.IGNORECASE)
_TIGHT = 0.3
"""The part of the disk that has to be free when a build begins."""


def build_boxed(
    box: "BoxedBuild",
    host: Engine,
    request: BuildRequest,
    *,
    inputs_digest: str,
    timeout: float,
    on_line: Callable[[str], None],
) -> Image:
    """Build in a box; the image is in the host's engine. ``timeout`` is in seconds.

    Raises NoBoxError where this machine gives none, BuildFailedError, also where a limit was met, or EngineError.
    """
    started = monotonic()
    box.run(host, request, timeout=timeout, on_line=on_line)
    return finished_image(host, request, request.reference, inputs_digest, monotonic() - started)


@dataclass(frozen=True, slots=True)
class BoxedBuild:
    """What is asked of a box."""

    folder: Path
    """The box's state."""
    rules: BuildRules
    host_names: tuple[str, ...] = ()
    """Further hosts that no build reaches: the cluster's, the engine's, the databases'."""

    def run(self, host: Engine, request: BuildRequest, *, timeout: float, on_line: Callable[[str], None]) -> None:
        """Build, and give the image to the host's engine. Raises NoBoxError, BuildFailedError or EngineError."""
        bases = self._bases(request)
        with opened(self.folder, request.project, self.rules.limits) as box:
            if not self._has_room(box, host):
                discard(box)
        with opened(self.folder, request.project, self.rules.limits) as box:
            inner = box.engine(host)
            bring_in(host, inner, bases, box.folder)
            names = self._open_network(box)
            asked = replace(
                request,
                options=self._options(names),
                log_lines=self.rules.limits.log_lines,
                tag=f"infraaudit/{request.project}:newest",
            )
            before = box.group.met()
            try:
                image_id = built_image_id(inner, asked, timeout=timeout, on_line=on_line)
            except (BuildFailedError, EngineError) as error:
                raise self._explained(box, before, error) from error
            take_out(box, host, image_id, request.reference, image_labels(request), bases)

    def brings_in(self, reference: str, build_args: Mapping[str, str]) -> bool:
        """Whether an image comes from the host's engine: the configuration names it."""
        return reference in self.rules.base_images or reference in build_args.values()

    def identify(self, project: str, reference: str) -> str | None:
        """What a reference to an image that the box pulls itself means now; None where unknown. Raises EngineError."""
        with opened(self.folder, project, self.rules.limits) as box:
            self._open_network(box)
            return registry_digest(box, reference)

    def _bases(self, request: BuildRequest) -> list[str]:
        """The images of the host's engine that the Dockerfile asks for and the configuration names."""
        read = images_read(read_dockerfile(request), request.build_args)
        return [found for found in read if self.brings_in(found, request.build_args)]

    def _has_room(self, box: Box, host: Engine) -> bool:
        """Whether a part of the disk is free, if need be without the cache."""
        least = _TIGHT * self.rules.limits.disk_megabytes
        if box.ask("state")["free"] >= least:
            return True
        box.engine(host).run("system", "prune", "--force", timeout=120, check=False)
        box.engine(host).run("builder", "prune", "--all", "--force", timeout=120, check=False)
        return bool(box.ask("state")["free"] >= least)

    def _open_network(self, box: Box) -> list[tuple[str, str]]:
        """Load the rules; the names that are resolved before the build, because it may ask nobody."""
        egress = self.rules.egress
        closed = [*firewall.addresses_of_host(self.host_names), *firewall.networks_of_host()]
        if isinstance(egress, Egress):
            box.ask("network", rules=firewall.rules(egress, closed), names=[])
            return []
        found = firewall.resolve(egress)
        names = sorted({(name, address) for name, answers in found.items() for address, _ in answers})
        open_ones = [answer for answers in found.values() for answer in answers]
        box.ask("network", rules=firewall.rules(open_ones, closed), names=names)
        return names

    def _options(self, names: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        hosts = (f"--add-host={name}:{address}" for name, address in names)
        secrets = (word for name, path in self.rules.secrets.items() for word in ("--secret", f"id={name},src={path}"))
        isolated = ("--network=none",) if self.rules.egress is Egress.NONE else ()
        return (*isolated, *hosts, *secrets)

    def _explained(self, box: Box, before: dict[str, int], error: Exception) -> Exception:
        """The same failure with its cause, where that is a limit or the network of the box."""
        limits, met = self.rules.limits, box.group.met()
        is_alive = True
        asked: list[str] = []
        try:
            asked = [f"{address}:{port}" for address, port in box.ask("asked")["addresses"]]
        except (EngineError, KeyError, ValueError, TypeError):
            is_alive = False
        words = []
        if met["memory"] > before["memory"]:
            words.append(f"It used more than {limits.memory_megabytes} MB of memory.")
        if met["processes"] > before["processes"]:
            words.append(f"It started more than {limits.processes} processes.")
        if is_full := bool(_FULL.search(str(error))):
            words.append(
                f"It wrote more than {limits.disk_megabytes} MB, or a file of more than {limits.file_megabytes} MB."
            )
        if asked:
            words.append(f"It asked for {', '.join(sorted(asked)[:10])}, which {self._permission()} does not permit.")
        if is_full:
            # What a full disk left half written is not worth a repair: all of it can be made again.
            discard(box)
        elif not is_alive:
            stop(box)
        if not words or isinstance(error, EngineUnavailableError):
            return error
        text = f"The build met a limit of its box. {' '.join(words)} Change build_limits or build_egress of the project"
        return BuildFailedError(f"{text} if that is right.\n{error}")

    def _permission(self) -> str:
        egress = self.rules.egress
        return f"build_egress ({egress if isinstance(egress, Egress) else ', '.join(egress)})"
