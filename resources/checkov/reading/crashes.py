"""Checks that raise on a resource, which Checkov swallows: each is named with the error, and ends nothing but itself.

Deliberately absent: what follows from it. The check did not pass on the resource, so that no finding of it is closed.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from resources.checkov.reading import proof


def witness() -> None:
    """Have the checks of one resource, and those of the graph, report what they raise to the current proof."""
    from checkov.common.checks.base_check import BaseCheck
    from checkov.common.checks_infra.solvers.attribute_solvers.base_attribute_solver import BaseAttributeSolver
    from checkov.common.graph.checks_infra.registry import BaseRegistry

    kind: Any = BaseCheck
    kind.run = _undecided(kind.run)
    registry: Any = BaseRegistry
    registry.run_check_parallel = _named(registry.run_check_parallel)
    solver: Any = BaseAttributeSolver
    solver._process_node = _noting_nodes(solver._process_node)


def _undecided(usual: Callable[..., Any]) -> Callable[..., Any]:
    """A check that raises gives no verdict on the resource, as Checkov itself has it of most frameworks."""
    from checkov.common.models.enums import CheckResult

    def run(
        self: Any, scanned_file: Any, entity_configuration: Any, entity_name: Any, entity_type: Any, skip_info: Any
    ) -> Any:
        try:
            return usual(self, scanned_file, entity_configuration, entity_name, entity_type, skip_info)
        except MemoryError:
            raise
        except Exception as error:
            if proof.current is None:
                raise
            resource = _resource(entity_configuration, str(entity_name), str(entity_type))
            proof.current.crashed[str(scanned_file), resource, self.id] = _reason(error)
            return {"result": CheckResult.UNKNOWN, "suppress_comment": "", "evaluated_keys": []}

    return run


def _resource(configuration: Any, name: str, kind: str) -> str:
    if proof.current is not None and proof.current.framework == "kubernetes":
        name_of = import_module("checkov.kubernetes.kubernetes_utils").get_resource_id
        return str(name_of(configuration) or kind)
    return name if not kind or name.startswith(kind) else f"{kind}.{name}"


def _named(usual: Callable[..., None]) -> Callable[..., None]:
    """A check of the graph runs in a thread whose errors nobody asks for."""

    def run_check_parallel(self: Any, check: Any, *args: Any) -> None:
        for solver in _solvers(check):
            solver.of_check = check.id
        try:
            usual(self, check, *args)
        except MemoryError:
            raise
        except Exception as error:
            if proof.current is not None:
                proof.current.crashed["", "", check.id] = _reason(error)
            raise

    return run_check_parallel


def _solvers(check: Any) -> Iterator[Any]:
    if check.solver is not None:
        yield check.solver
    for part in check.sub_checks:
        yield from _solvers(part)


def _noting_nodes(usual: Callable[..., None]) -> Callable[..., None]:
    def process_node(self: Any, data: Any, *args: Any) -> None:
        try:
            usual(self, data, *args)
        except MemoryError:
            raise
        except Exception as error:
            if proof.current is not None:
                place = str(data.get("file_path_", "")), str(data.get("block_name_", ""))
                proof.current.crashed[(*place, getattr(self, "of_check", ""))] = _reason(error)
            raise

    return process_node


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]
