"""What happens inside the processes that hold Checkov: priming the parent, and one scan in a forked child.

Each framework's runner is wrapped, so that its crash, its time and the files it opened are recorded separately.
Deliberately absent: Checkov's own output; its records are written in the shape of its JSON report.
"""

import contextlib
import gc
import json
import logging
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from resources.checkov.reading import (
    crashes,
    order,
    own_rule,
    proof,
    reasons,
    secret_files,
    serverless_files,
    yaml_check,
)
from resources.checkov.rendering import build
from resources.checkov.speedups import patches
from resources.checkov.speedups.evaluations import Evaluations

_OPENED: dict[str, set[str]] = {}
_current = ""
_evaluations: Evaluations | None = None


def prime() -> list[str]:
    """Import Checkov, load every check and warm it up on one small file of each kind; returns the patches left out."""
    import checkov.main as checkov

    global _evaluations
    _evaluations, left_out = patches.apply(Path(os.environ["INFRAAUDIT_PARSED"]))
    proof.witness()
    crashes.witness()
    secret_files.witness()
    serverless_files.witness()
    for runner in checkov.DEFAULT_RUNNERS:
        if (registry := getattr(runner, "graph_registry", None)) is not None:
            registry.load_checks()
    shared = checkov.DEFAULT_RUNNERS
    checkov.DEFAULT_RUNNERS = [type(runner)() for runner in shared]
    with contextlib.suppress(SystemExit):
        _scan(checkov, str(_warm_up_tree()), sorted({runner.check_type for runner in shared} - _NEVER), [])
    checkov.DEFAULT_RUNNERS = shared
    if _evaluations is not None:
        _evaluations.forget()
    # Checkov formats every debug message for a support bundle that is not wanted here: a tenth of its time.
    logging.disable(logging.CRITICAL)
    return left_out


_NEVER = {"helm", "kustomize", "sca_image", "sca_package", "sast", "cdk"}


def run(request: dict[str, Any]) -> None:
    """Do what a request asks and write the answer to its ``answer`` file."""
    # A child runs for seconds: collecting garbage as often as usual would cost more than it saves.
    gc.set_threshold(100_000, 20, 100)
    root = request["root"]
    if request["task"] == "inspect":
        answer: Any = yaml_check.inspect(root, request["files"], request["yaml_depth"], request["yaml_nodes"])
    elif request["task"] == "render":
        answer = build.render(request)
    elif request["task"] == "rule":
        answer = own_rule.fault(request["rule"])
    else:
        import checkov.main as checkov

        os.environ.update(HOME=request["scratch"], TMPDIR=request["scratch"])
        tempfile.tempdir = request["scratch"]
        os.chdir(request["scratch"])
        order.keep_order(root)
        _confine(root, request["scratch"], os.environ["INFRAAUDIT_PARSED"])
        for framework, files in request["only"].items():
            _restrict(framework, root, files)
        if rule := request.get("rule"):
            own_rule.load(rule, request["frameworks"])
        answer = _scan(checkov, root, request["frameworks"], request["arguments"], request["expected"])
        if _evaluations is not None:
            _evaluations.save()
    with open(request["answer"], "w", encoding="utf-8") as stream:
        json.dump(answer, stream)


def _scan(
    checkov: Any, root: str, frameworks: list[str], arguments: list[str], expected: dict[str, list[str]] | None = None
) -> dict[str, Any]:
    argv = [f"--directory={root}", "-o", "json", "--compact", "--quiet", "--skip-download", *arguments]
    scan = checkov.Checkov([*argv, "--framework", *frameworks])
    scan.runners = [runner for runner in scan.runners if runner.check_type in frameworks]
    records: dict[str, dict[str, Any]] = {
        name: {"seconds": 0.0, "error": "", "opened": [], "proof": {}, "reasons": {}} for name in frameworks
    }
    for runner in scan.runners:
        _wrap(runner, records[runner.check_type], root, (expected or {}).get(runner.check_type, []))
    sections: list[dict[str, Any]] = []

    def keep_results(**_: Any) -> int:
        sections.extend(_section(report) for report in scan.scan_reports)
        return 0

    scan.print_results = keep_results
    if scan.runners:
        scan.run()
    for name, opened in _OPENED.items():
        if name in records:
            records[name]["opened"] = sorted(opened)
    return {"report": sections, "frameworks": records}


def _wrap(runner: Any, records: dict[str, Any], root: str, expected: list[str]) -> None:
    """Make a runner's crash an empty report with a reason: Checkov would lose the others' findings, or the reason.

    What the run proves, and why an expected file was not read, is reported beside its findings.
    """
    original = runner.run

    def run(*args: Any, **kwargs: Any) -> Any:
        from checkov.common.output.report import Report

        global _current
        _current, started = runner.check_type, time.monotonic()
        proof.current = proven = proof.Proof(runner.check_type)
        try:
            report = original(*args, **kwargs)
            proven.conclude(runner, report[0] if isinstance(report, list) else report)
            records["proof"] = proven.document()
            records["reasons"] = reasons.reasons(runner, root, expected, proven)
            return report
        except MemoryError:
            raise
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            records["error"] = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"[:1000]
            return Report(runner.check_type)
        finally:
            records["seconds"] = time.monotonic() - started
            _current, proof.current = "", None

    runner.run = run


def _section(report: Any) -> dict[str, Any]:
    return {
        "check_type": report.check_type,
        "results": {
            "failed_checks": [_record(record) for record in report.failed_checks],
            "skipped_checks": [_record(record) for record in report.skipped_checks],
            "parsing_errors": [str(path) for path in report.parsing_errors],
        },
    }


def _record(record: Any) -> dict[str, Any]:
    return {
        "check_id": record.check_id,
        "check_name": record.check_name,
        "check_result": {"suppress_comment": str((record.check_result or {}).get("suppress_comment") or "")},
        "file_path": str(record.file_path),
        "file_line_range": [int(line) for line in record.file_line_range],
        "resource": str(record.resource),
        "guideline": record.guideline,
    }


def _restrict(framework: str, root: str, files: list[str]) -> None:
    """Restrict the search for secrets to these files of the tree; the results of the others are known."""
    assert framework == "secrets"
    from checkov.secrets import runner

    find, wanted = runner._find_files_from_root_folder, {f"{root}/{path}" for path in files}

    def find_wanted(root_folder: str, runner_filter: Any) -> list[str]:
        return [path for path in find(root_folder, runner_filter) if path in wanted]

    runner._find_files_from_root_folder = find_wanted


_REFUSED = ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
            "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.system", "subprocess.Popen")  # fmt: skip


def _confine(root: str, *writable: str) -> None:
    """Note which files of the tree each framework opens; refuse files of the machine, the network and programs.

    The notes prove that a key covers what was read. The refusals keep ``source = "../../etc"`` inside the tree, and the
    network away also where the kernel gives an ordinary user no empty one.
    """
    inside = f"{root}/"
    own = (*writable, sys.prefix, sys.base_prefix, "/usr", "/proc/self")
    # An installation may be reached through a link, and opens its files by either name.
    allowed = tuple(f"{name}/" for path in own for name in {path, os.path.realpath(path)})

    def audit(event: str, args: tuple[Any, ...]) -> None:
        if event in _REFUSED:
            raise PermissionError(13, "a scan has no network and starts no programs", event)
        if event not in ("open", "os.listdir", "os.scandir") or not args or not isinstance(args[0], (str, bytes)):
            return
        path = os.path.abspath(os.fsdecode(args[0]))
        if path.startswith(inside):
            if event == "open" and _current:
                _OPENED.setdefault(_current, set()).add(path[len(inside) :])
        elif path != root and path != "/dev/null" and not f"{path}/".startswith(allowed):
            raise PermissionError(13, "outside of the scanned tree", path)

    sys.addaudithook(audit)


def _warm_up_tree() -> Path:
    root = Path(os.environ["HOME"]) / "warm-up"
    for name, text in _files():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def _files() -> Iterator[tuple[str, str]]:
    yield "main.tf", 'variable "n" {\n  default = "a"\n}\nresource "aws_s3_bucket" "b" {\n  bucket = var.n\n}\n'
    yield "Dockerfile", "FROM debian:12\nRUN true\n"
    yield "pod.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: a}]}\n"
    yield "stack.yaml", "Resources:\n  B:\n    Type: AWS::S3::Bucket\n    Properties: {BucketName: a}\n"
    yield "a.bicep", "resource s 'Microsoft.Storage/storageAccounts@2021-02-01' = {\n  name: 'a'\n}\n"
    yield ".github/workflows/ci.yml", "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: make\n"
    yield "arm.json", '{"$schema": "https://a/deploymentTemplate.json#", "contentVersion": "1.0.0.0", "resources": []}'
