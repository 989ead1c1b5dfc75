"""What a framework's run proves, collected inside the child while it runs: what was read, passed or left undecided.

Checkov skips files, documents and results in silence; this asks its runners what they really hold. Deliberately
absent: what should have been read (infraaudit_domain/scans/expectation.py), which no parser may decide.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

Parts = list[int | str] | None
"""Of a file: lines on which what was read begins, or names of it; None for all of it."""
_NAMED_BY_POSITION = {
    "ansible", "argo_workflows", "azure_pipelines", "bitbucket_pipelines", "circleci_pipelines", "dockerfile",
    "github_actions", "gitlab_ci", "openapi",
}  # fmt: skip
"""Frameworks that may name a resource by another name where a check passes than where it fails."""


@dataclass(slots=True)
class Proof:
    """What one framework's runner proves; paths and resources as Checkov writes them."""

    framework: str
    read: dict[str, Parts] = field(default_factory=dict)
    passed: dict[str, dict[str, set[str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(set)))
    undecided: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    crossing: set[str] = field(default_factory=set)
    """Checks that look at several files at once."""
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often a check failed in a file, by what it said itself."""
    broke: dict[str, str] = field(default_factory=dict)
    """Files on which a check or a registry raised what would have ended the whole run, with the error."""
    crashed: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """Errors by file, resource and check, where a check gave no verdict for one; file and resource may be empty."""
    unfilled: dict[str, str] = field(default_factory=dict)
    """Files in which something stands for parts that were not read, with the reason."""
    copies: dict[str, str] = field(default_factory=dict)
    """Files that were copied to be searched for secrets, by their copies."""

    def document(self) -> dict[str, Any]:
        return {
            "read": self.read,
            "passed": {
                file: {resource: sorted(checks) for resource, checks in resources.items()}
                for file, resources in self.passed.items()
            },
            "undecided": {file: sorted(checks) for file, checks in self.undecided.items() if checks},
            "crossing": sorted(self.crossing),
            "broke": self.broke,
            "crashed": sorted([*place, error] for place, error in self.crashed.items()),
        }

    def conclude(self, runner: Any, report: Any) -> None:
        """Take over what a runner and its report hold when it is done."""
        if self.framework == "secrets":
            return
        self.read |= {str(path): parts for path, parts in _READERS.get(self.framework, _of_files)(runner)}
        self.read |= {path: [] for path in self.unfilled}
        for record in (*report.passed_checks, *report.failed_checks, *report.skipped_checks):
            self.passed[record.file_path][str(record.resource)]
        unseen = set(_UNSEEN[self.framework](runner)) if self.framework in _UNSEEN else set()
        for record in report.passed_checks:
            if (str(record.file_abs_path), str(record.resource)) not in unseen:
                self.passed[record.file_path][str(record.resource)].add(record.check_id)
        for extra in report.extra_resources:
            self.passed[extra.file_path][str(extra.resource)]
        for text in report.resources:
            path, resource = self._located(text)
            if resource:
                self.passed[path][resource]
        self._mistrust_lost_failures(report)
        graph_checks = {check.id for check in getattr(runner.graph_registry, "checks", ())}
        self.crossing = graph_checks & {record.check_id for record in report.passed_checks}

    def _located(self, text: str) -> tuple[str, str]:
        at = text.find(":")
        while at != -1:
            if text[:at] in self.read:
                return text[:at], text[at + 1 :]
            at = text.find(":", at + 1)
        return text, ""

    def _mistrust_lost_failures(self, report: Any) -> None:
        """A result that another one replaced, or that has no lines, is in no report: its check decided nothing."""
        reported = Counter((str(record.file_abs_path), record.check_id) for record in report.failed_checks)
        lost = {place for place, times in self.failed.items() if times > reported[place]}
        for file, check in lost:
            self.undecided[file].add(check)
        for record in report.passed_checks:
            if (str(record.file_abs_path), record.check_id) in lost:
                self.passed[record.file_path][str(record.resource)].discard(record.check_id)


current: Proof | None = None
"""Of the runner that runs now, in a child."""


def witness() -> None:
    """Have Checkov's own places for results and files report to the current proof."""
    from checkov.common.checks.base_check_registry import BaseCheckRegistry
    from checkov.common.checks.object_registry import Registry as ObjectRegistry
    from checkov.common.output.report import Report
    from checkov.json_doc.base_registry import Registry as JsonRegistry
    from checkov.kubernetes.checks.resource.base_registry import Registry as KubernetesRegistry
    from checkov.yaml_doc.base_registry import Registry as YamlRegistry

    kinds: list[Any] = [ObjectRegistry, JsonRegistry, YamlRegistry]
    for kind in kinds:
        kind.update_result = _noting_results(kind.update_result)
    for kind in (*kinds, BaseCheckRegistry, KubernetesRegistry):
        kind.scan = _surviving(kind.scan)
    report: Any = Report
    report.add_record = _noting_unknown(report.add_record)


def _noting_results(usual: Callable[..., Any]) -> Callable[..., Any]:
    from checkov.common.models.enums import CheckResult

    def update_result(
        self: Any, check: Any, entity_configuration: Any, entity_name: Any, entity_type: Any, results: Any,
        scanned_file: Any, skip_info: Any,
    ) -> Any:  # fmt: skip
        result = usual(self, check, entity_configuration, entity_name, entity_type, results, scanned_file, skip_info)
        if current is not None and result == CheckResult.FAILED:
            current.failed[str(scanned_file), check.id] += 1
        elif current is not None and result == CheckResult.UNKNOWN:
            current.undecided[str(scanned_file)].add(check.id)
        return result

    return update_result


def _surviving(usual: Callable[..., Any]) -> Callable[..., Any]:
    """An odd value in one file ends what is asked of that file, and not the run of all."""

    def scan(self: Any, scanned_file: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return usual(self, scanned_file, *args, **kwargs)
        except MemoryError:
            raise
        except Exception as error:
            if current is None:
                raise
            current.broke.setdefault(str(scanned_file), f"{type(error).__name__}: {error}"[:300])
            return {}

    return scan


def _noting_unknown(usual: Callable[..., None]) -> Callable[..., None]:
    from checkov.common.models.enums import CheckResult

    def add_record(self: Any, record: Any) -> None:
        usual(self, record)
        if current is not None and record.check_result["result"] == CheckResult.UNKNOWN:
            current.passed[record.file_path][str(record.resource)]
            if current.framework in _NAMED_BY_POSITION:
                current.undecided[record.file_path].add(record.check_id)

    return add_record


def _of_files(runner: Any) -> Iterable[tuple[str, Parts]]:
    """All of each file that the runner holds definitions of."""
    return ((str(path), None) for path, definition in (runner.definitions or {}).items() if definition)


def _of_raw_files(runner: Any) -> Iterable[tuple[str, Parts]]:
    return ((str(path), None) for path, lines in (runner.definitions_raw or {}).items() if lines)


def _of_first_documents(runner: Any) -> Iterable[tuple[str, Parts]]:
    """Runners of pipelines keep the first document of a file that holds anything."""
    for path, document in (runner.definitions or {}).items():
        first = document if isinstance(document, dict) else next((e for e in document if isinstance(e, dict)), {})
        line = first.get("__startline__")
        yield str(path), [int(line)] if line else None


def _of_playbooks(runner: Any) -> Iterable[tuple[str, Parts]]:
    """A playbook is a list of plays; what is anything else has no tasks for the runner."""
    for path, parts in _of_first_documents(runner):
        document = runner.definitions[path]
        is_read = isinstance(document, list) and all(isinstance(play, dict) for play in document)
        yield path, parts if is_read else []


def _of_manifests(runner: Any) -> Iterable[tuple[str, Parts]]:
    from checkov.kubernetes.checks.resource.registry import registry
    from checkov.kubernetes.kubernetes_utils import get_resource_id

    for path, manifests in (runner.definitions or {}).items():
        known = [one for one in manifests if isinstance(one, dict)]
        named = [one for one in known if get_resource_id(one) or not registry.get_checks(str(one.get("kind")))]
        yield str(path), [int(one["__startline__"]) for one in named if "__startline__" in one]


def _of_dockerfiles(runner: Any) -> Iterable[tuple[str, Parts]]:
    for path, by_name in (runner.definitions or {}).items():
        yield str(path), [name for name, found in by_name.items() for _ in found]


def _of_terraform(runner: Any) -> Iterable[tuple[str, Parts]]:
    """Files as they were parsed, before modules are resolved and counts are applied."""
    for path, document in runner.graph_manager.parser.loaded_files_map.items():
        if not document:
            continue
        resources = document.get("resource", []) if isinstance(document, dict) else []
        yield (
            str(path),
            ["", *(f"{kind}.{name}" for block in resources for kind, named in block.items() for name in named)],
        )


def _of_conditional_bicep(runner: Any) -> Iterable[tuple[str, str]]:
    """Resources behind a condition or in a loop, whose bodies stand one level deeper than any check looks for them."""
    for path, document in (runner.definitions or {}).items():
        for name, one in (document.get("resources") or {}).items():
            body = one.get("config")
            if isinstance(body, dict) and "condition" in body and isinstance(body.get("config"), dict):
                yield str(path), f"{one.get('type')}.{name}"


_UNSEEN: dict[str, Callable[[Any], Iterable[tuple[str, str]]]] = {"bicep": _of_conditional_bicep}
"""By framework: resources, each with its file, of which a check that passed says nothing."""
_READERS: dict[str, Callable[[Any], Iterable[tuple[str, Parts]]]] = {
    **dict.fromkeys(_NAMED_BY_POSITION - {"dockerfile"}, _of_first_documents),
    "ansible": _of_playbooks,
    "arm": _of_raw_files,
    "bicep": _of_raw_files,
    "cloudformation": _of_raw_files,
    "dockerfile": _of_dockerfiles,
    "kubernetes": _of_manifests,
    "terraform": _of_terraform,
}
