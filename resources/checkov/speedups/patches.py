"""Apply all patches, and name those that are left out: the scan is slower without them.

The equality test and the benchmark compare findings with those of an unpatched process.
"""

from pathlib import Path

from resources.checkov.speedups import evaluations, parsing, rendering, shortcuts
from resources.checkov.speedups.patch import Patch

_MODULES = (parsing, evaluations, rendering, shortcuts)

PATCHES = tuple(value for module in _MODULES for value in vars(module).values() if isinstance(value, Patch))
"""In the order of their definition."""


def apply(parsed: Path) -> tuple[evaluations.Evaluations | None, list[str]]:
    """Patch the Checkov imported in this process; returns the kept evaluations and the patches that were left out.

    ``parsed`` is where children keep what they parsed.
    """
    parsed.mkdir(parents=True, exist_ok=True)
    done = {patch.name: patch.apply(parsed) for patch in PATCHES if patch.fits}
    return done.get(evaluations.remember_evaluations.name), sorted({patch.name for patch in PATCHES} - done.keys())
