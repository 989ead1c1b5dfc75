"""What of a commit is to be rendered, from which files, and under which key a result may be used again.

A tree without kustomizations and charts costs a look at its names. Deliberately absent: rendering.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from infraaudit_domain.commits import TreeEntry
from infraaudit_domain.errors import excerpt
from infraaudit_domain.scans.renderings import (
    Unit,
    chart_units,
    kustomization_files,
    kustomization_units,
    transformer_files,
)
from resources.checkov.limits import RenderLimits
from resources.checkov.reading.yaml_check import inspect_text
from resources.checkov.rendering.programs import Program, program_for
from resources.git.mirror import Mirror


@dataclass(frozen=True, slots=True)
class Planned:
    """A unit with the files that it reads and the program that renders it."""

    unit: Unit
    program: Program
    entries: tuple[TreeEntry, ...]

    @property
    def fault(self) -> str:
        return self.unit.fault or self.program.fault

    @property
    def key(self) -> str:
        """The digest of everything that its rendering depends on."""
        files = sorted((entry.path, entry.blob) for entry in self.entries)
        text = json.dumps([self.unit.path, self.program.version, self.fault, files])
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True)
class Plan:
    """All units of a commit."""

    units: tuple[Planned, ...] = ()

    @property
    def key(self) -> list[str]:
        """What a scan's key says of it; empty for a commit that has nothing to render."""
        return [planned.key for planned in self.units]

    @property
    def expected(self) -> dict[str, Unit]:
        return {planned.unit.path: planned.unit for planned in self.units}


class Plans:
    """Plans commits one after the other; each kustomization is parsed once."""

    def __init__(self, limits: RenderLimits) -> None:
        self._limits = limits
        self._documents: dict[str, list[object] | ValueError] = {}

    def of(self, tree: Iterable[TreeEntry], mirror: Mirror, work: Path) -> Plan:
        """What is to be rendered of a tree."""
        entries = {entry.path: entry for entry in tree if entry.is_file}
        names = kustomization_files(entries.keys())
        units = chart_units(entries.keys())
        if names:
            parsed = self._parsed({name: entries[name] for name in names}, mirror, work)
            documents = {
                name: found if isinstance(found, ValueError) else _only(found) for name, found in parsed.items()
            }
            named = {name: entries[name] for name in transformer_files(documents) if name in entries}
            settings = self._parsed(named, mirror, work)
            readable = {name: found for name, found in settings.items() if not isinstance(found, ValueError)}
            units += kustomization_units(documents, readable, entries.keys(), self._limits.files)
        return Plan(tuple(self._bounded(units, entries)))

    def _bounded(self, units: Sequence[Unit], entries: Mapping[str, TreeEntry]) -> Iterable[Planned]:
        total = 0
        for number, unit in enumerate(units):
            read = tuple(entries[path] for path in sorted(unit.reads) if path in entries)
            fault = unit.fault or self._objection(number, read, total)
            if not fault:
                total += sum(entry.size or 0 for entry in read)
            yield Planned(replace(unit, fault=fault), program_for(unit) if not fault else Program(), read)

    def _objection(self, number: int, read: Sequence[TreeEntry], total: int) -> str:
        limits = self._limits
        if number >= limits.units:
            return f"the commit has more than {limits.units} kustomizations and charts"
        if len(read) > limits.files:
            return f"it is made of more than {limits.files} files"
        if lost := next((entry for entry in read if entry.size is None), None):
            return f"the mirror does not hold the content of {lost.path}"
        if large := next((entry for entry in read if (entry.size or 0) > limits.file_bytes), None):
            return f"it reads {large.path}, which has {large.size} bytes, more than {limits.file_bytes}"
        if total + sum(entry.size or 0 for entry in read) > limits.total_bytes:
            return f"the commit's kustomizations and charts read more than {limits.total_bytes} bytes"
        return ""

    def _parsed(
        self, entries: Mapping[str, TreeEntry], mirror: Mirror, work: Path
    ) -> dict[str, list[object] | ValueError]:
        """By path: the documents of a file, or the ValueError that says why it could not be read."""
        if len(self._documents) > 10_000:
            self._documents.clear()
        faults = dict(self._too_large(entries))
        read = {
            e.blob: TreeEntry("100644", e.blob, e.size, e.blob) for path, e in entries.items() if path not in faults
        }
        unknown = {blob: entry for blob, entry in read.items() if blob not in self._documents}
        if unknown:
            folder = Path(tempfile.mkdtemp(dir=work, prefix="kustomizations-"))
            mirror.export(unknown.values(), folder)
            self._documents |= {blob: self._read((folder / blob).read_bytes()) for blob in unknown}
            shutil.rmtree(folder)
        return {path: faults.get(path) or self._documents[entry.blob] for path, entry in entries.items()}

    def _too_large(self, entries: Mapping[str, TreeEntry]) -> Iterable[tuple[str, ValueError]]:
        most, most_of_all = self._limits.kustomization_bytes, self._limits.kustomizations_bytes
        total = 0
        for path, entry in sorted(entries.items()):
            if entry.size is None or entry.size > most:
                yield path, ValueError(f"it has {entry.size or 'unknown'} bytes, more than {most}")
                continue
            total += entry.size
            if total > most_of_all:
                yield path, ValueError(f"the commit's kustomizations have more than {most_of_all} bytes")

    def _read(self, content: bytes) -> list[object] | ValueError:
        import yaml

        verdict = inspect_text(content, self._limits.kustomization_depth, self._limits.kustomization_nodes)
        if verdict:
            return ValueError(excerpt(str(verdict.get("reason") or verdict.get("broken")), 300))
        loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            return list(yaml.load_all(content, Loader=loader))
        except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
            return ValueError(excerpt(" ".join(str(error).split()), 300))


def _only(documents: Sequence[object]) -> object:
    """What a kustomization says; nothing where it is empty."""
    found = [document for document in documents if document is not None]
    return ValueError("it has several documents") if len(found) > 1 else next(iter(found), None)
