"""Build a kustomization of a commit with kustomize, or with the one inside kubectl.

Every kustomization that it refers to is checked before the program starts (infraaudit_domain/kubernetes/kustomization.py): all
paths stay in the checkout. The program then runs with no PATH, so that it cannot start git or a plugin, with an empty
home, and within limits of memory and time.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from infraaudit_domain.errors import ManifestError, ToolError
from infraaudit_domain.kubernetes.kustomization import FILE_NAMES, files, kustomization_faults, sources
from resources.machine import process

BUILD_SECONDS = 30
_LIMITED = ("/usr/bin/prlimit", f"--data={2 << 30}", f"--cpu={BUILD_SECONDS}", f"--fsize={64 << 20}", "--")
FOLDERS = 50
OUTPUT_BYTES = 8 * 1024 * 1024


def kustomization_of(folder: Path) -> Path | None:
    """The folder's kustomization, where it has one."""
    return next((folder / name for name in FILE_NAMES if (folder / name).is_file()), None)


def is_reached_by_link(file: Path) -> bool:
    """Whether a path without links above it is one, or leads through one: the scan reads files where they are."""
    return file.resolve() != Path(os.path.normpath(file))


def build_kustomization(checkout: Path, folder: Path, read: Callable[[Path], list[object]]) -> str:
    """The manifests that a kustomization makes, as YAML; ``read`` gives the documents of a YAML file.

    Raises ManifestError where it uses a forbidden feature or does not build.
    """
    _judge(checkout, folder, read)
    program, *words = _program()
    with tempfile.TemporaryDirectory(prefix="infraaudit-kustomize-") as home:
        try:
            done = process.run(
                [*_LIMITED, program, *words, str(folder)],
                timeout=BUILD_SECONDS,
                cwd=Path(home),
                env={"HOME": home, "TMPDIR": home, "PATH": home, "GOMEMLIMIT": "512MiB"},
                max_output=OUTPUT_BYTES,
            )
        except ToolError as error:
            raise ManifestError(f"{_shown(checkout, folder)} does not build: {error}") from error
    if done.truncated:
        raise ManifestError(f"{_shown(checkout, folder)} makes more than {OUTPUT_BYTES} bytes of manifests.")
    return done.text


def _program() -> list[str]:
    for name, word in (("kustomize", "build"), ("kubectl", "kustomize")):
        if found := shutil.which(name):
            return [found, word]
    raise ManifestError("The manifests are a kustomization; install kustomize or kubectl to build it.")


def _judge(checkout: Path, folder: Path, read: Callable[[Path], list[object]]) -> None:
    """Check every kustomization that is referred to. Raises ManifestError with all faults of the first faulty one."""
    waiting, seen = [folder], set[Path]()
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        if len(seen) > FOLDERS:
            raise ManifestError(f"{_shown(checkout, folder)} is made of more than {FOLDERS} kustomizations.")
        own = kustomization_of(current)
        if own is None:
            raise ManifestError(f"{_shown(checkout, current)} has no {FILE_NAMES[0]}.")
        documents = read(own)
        document = documents[0] if len(documents) == 1 else None
        faults = list(kustomization_faults(document)) + (["is a link"] if is_reached_by_link(own) else [])
        if not faults and isinstance(document, dict):
            found = [(path, (current / path).resolve()) for path in (*sources(document), *files(document))]
            root = checkout.resolve()
            faults = [f"refers to {path}, which is not in the commit" for path, target in found
                      if not target.is_relative_to(root) or not target.exists()]  # fmt: skip
            faults = faults or [f"refers to {path}, which is a link or behind one" for path, _ in found
                                if is_reached_by_link(current / path)]  # fmt: skip
            made_of = [(current / path).resolve() for path in sources(document)]
            waiting += [target for target in made_of if target.is_dir()]
            for target in made_of:
                if target.is_file():
                    read(target)  # Refuses what is too large, and aliases, before the program reads it.
        if faults:
            raise ManifestError(f"{_shown(checkout, own)} is refused:\n" + "\n".join(f"  {fault}" for fault in faults))


def _shown(checkout: Path, current: Path) -> str:
    return str(current.resolve().relative_to(checkout.resolve()))
