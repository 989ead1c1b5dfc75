"""The commands of docs/operations.md and README.md, as a reader would copy them."""

import subprocess
from pathlib import Path

from tests import ROOT

OPERATIONS = ROOT / "docs" / "operations.md"


def documented(first: str, file: Path = OPERATIONS) -> str:
    """The block of commands whose first line starts with these words; where it is there twice, both are the same."""
    lines = file.read_text().splitlines()
    starts = (at for at, line in enumerate(lines) if not lines[at - 1] and line.startswith("    "))
    (block,) = {_block(lines[at:]) for at in starts if lines[at].lstrip().startswith(first)}
    return block


def _block(lines: list[str]) -> str:
    indent = lines[0][: -len(lines[0].lstrip())]
    end = next((at for at, line in enumerate(lines) if not line.startswith(indent)), len(lines))
    return "\n".join(line.removeprefix(indent) for line in lines[:end])


def run_documented(first: str, folder: Path, environment: dict[str, str]) -> str:
    """Run a block in a folder, by a shell that stops at the first command that fails; what it printed."""
    commands = documented(first)
    words = ["bash", "-euo", "pipefail", "-c", commands]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{commands}\n{done.stdout[-1500:]}{done.stderr[-1500:]}"
    return done.stdout
