"""Whatever text edit is made to a file, no finding in it is closed without evidence.

Judged by a reading of its own: an edit that touches neither the lines of a finding nor those that they hang on cannot
have fixed it, so it is still reported, or its file is a gap.
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from infraaudit_domain.scans.evidence import is_unread, proves_absence
from infraaudit_domain.scans.findings import Finding, FrameworkScan
from resources.checkov import CheckovRunner
from tests.conftest import Repository

pytestmark = pytest.mark.slow

MANIFESTS = Path(__file__).parent / "manifests"
FILES: Mapping[str, tuple[str, str]] = {
    "kubernetes": ("pods.yaml", "pods.yaml"),
    "cloudformation": ("stack.yaml", "stack.yaml"),
    "arm": ("storage.json", "storage.json"),
    "bicep": ("storage.bicep", "storage.bicep"),
    "dockerfile": ("Dockerfile", "Dockerfile"),
    "terraform": ("main.tf", "main.tf"),
    "github_actions": ("ci.yml", ".github/workflows/ci.yml"),
    "ansible": ("playbook.yml", "playbook.yml"),
    "openapi": ("api.yaml", "api.yaml"),
    "gitlab_ci": ("gitlab-ci.yml", ".gitlab-ci.yml"),
    "secrets": ("settings.yaml", "settings.yaml"),
}
"""By framework: a manifest, and where it has to lie for Checkov to find it."""
ODD = (
    "# image was {{ .Values.image }} before", "# {{ .Release.Name }} {% if %} <% %>", "bad: [", "{{- if .Values.on }}",
    "  - =", "name: ${APP}", "\tx: 1", "}", "{", "/*", "'", '"', "---", "...", "<<EOF", "x: !unknown y", "? [", "%TAG",
    "x: *nowhere", "&a", "x: |", "RUN <<EOF1", "EOF", "\\", "@", "null", "2024-99-99:", "- -", "\x00", "\u2028", "x: 0o9",
)  # fmt: skip
COMMENTS = {"Dockerfile": "#", "storage.bicep": "//"}


@dataclass(frozen=True)
class Edit:
    text: str
    touched: range
    """Lines of the original text, from 1; empty where something stands between two lines now."""
    what: str


def edit(text: str, chance: random.Random, comment: str) -> Edit:
    lines = text.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    kinds: list[Callable[[list[str], int, random.Random], tuple[list[str], range]]] = [
        _insert_odd, _insert_odd, _delete, _repeat, _indent, _lose_a_letter, _odd_letter, _cut_off, _swap,
    ]  # fmt: skip
    if comment and chance.random() < 0.2:
        odd = chance.choice(ODD)
        return Edit("".join([*lines[:at], f"{comment} {odd}\n", *lines[at:]]), range(0), f"comment {odd!r} at {at + 1}")
    kind = chance.choice(kinds)
    changed, touched = kind(lines, at, chance)
    result = "".join(changed)
    if chance.random() < 0.1:
        result = chance.choice([result.replace("\n", "\r\n"), "\ufeff" + result])
    return Edit(result, touched, f"{kind.__name__} at {at + 1}")


def _insert_odd(lines: list[str], at: int, chance: random.Random) -> tuple[list[str], range]:
    indentation = " " * chance.choice([0, 0, 2, 4, len(lines[at]) - len(lines[at].lstrip())])
    return [*lines[:at], f"{indentation}{chance.choice(ODD)}\n", *lines[at:]], range(at, at + 2)


def _delete(lines: list[str], at: int, chance: random.Random) -> tuple[list[str], range]:
    return [*lines[:at], *lines[at + 1 :]], range(at + 1, at + 2)


def _repeat(lines: list[str], at: int, chance: random.Random) -> tuple[list[str], range]:
    return [*lines[:at], lines[at], *lines[at:]], range(at + 1, at + 2)


def _indent(lines: list[str], at: int, chance: random.Random) -> tuple[list[str], range]:
    return [*lines[:at], chance.choice([" ", "  ", "\t", "- "]) + lines[at], *lines[at + 1 :]], range(at + 1, at + 2)


def _lose_a_letter(lines: list[str], at: int, chance: random.Random) -> tuple[list[str], range]:
    letter = chance.randrange(len(lines[at]))
    changed = lines[at][:letter] + lines[at][letter + 1 :]
    return [*lines[:at], changed, *lines[at + 1 :]], range(at + 1, at + 2 + (letter == len(lines[at]) - 1))


def _odd_letter(lines: list[str], at: int, chance: random.Random) -> tuple[list[str], range]:
    letter = chance.randrange(len(lines[at]))
    changed = lines[at][:letter] + chance.choice("{}[]:'\"#&*!|>%@`=\\$\t") + lines[at][letter:]
    return [*lines[:at], changed, *lines[at + 1 :]], range(at + 1, at + 2)


def _cut_off(lines: list[str], at: int, chance: random.Random) -> tuple[list[str], range]:
    return [*lines[:at], lines[at][: chance.randrange(len(lines[at]))]], range(at + 1, len(lines) + 1)


def _swap(lines: list[str], at: int, chance: random.Random) -> tuple[list[str], range]:
    at = min(at, len(lines) - 2)
    return [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]], range(at + 1, at + 3)


def hanging_on(lines: list[str], start: int, end: int) -> set[int]:
    """The lines of a finding, those above it that it is indented under, and one that may go on in it."""
    found = set(range(start, end + 1))
    if start > 1 and lines[start - 2].endswith((" \\", "python3")):
        found.add(start - 1)
    indentation = _indentation(lines[start - 1])
    for number in range(start - 1, 0, -1):
        line = lines[number - 1]
        if line.strip() and not line.lstrip().startswith(("#", "//")) and _indentation(line) < indentation:
            found.add(number)
            indentation = _indentation(line)
    return found


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def name(finding: Finding, folder: str) -> tuple[str, str]:
    """The position among a job's steps is no part of it."""
    return finding.check_id, re.sub(r"\[\d+\]", "", finding.resource.replace(folder, "", 1))


def unjust(base: list[Finding], one: FrameworkScan, path: str, folder: str, done: Edit, text: str) -> list[str]:
    """Findings that are closed though the edit cannot have fixed them."""
    found = {name(finding, folder) for finding in one.findings if finding.file_path == path}
    if is_unread(path, (gap.path for gap in one.unreadable)) or one.status == "failed":
        return []
    lines = text.splitlines()
    wrong = []
    for finding in base:
        check, resource = name(finding, "base/")
        moved = Finding("", check, "", path, finding.resource.replace("base/", folder, 1), 0, 0)
        is_touched = bool(hanging_on(lines, finding.line_start, finding.line_end) & set(done.touched))
        is_closed = (check, resource) not in found and proves_absence(one.evidence, moved)
        if is_closed and not is_touched:
            wrong.append(f"{one.framework}: {check} on {resource} after {done.what}")
    return wrong


def judge(reader: CheckovRunner, repository: Repository, count: int, seed: int) -> None:
    files: dict[str, str | None] = {}
    edits: dict[tuple[str, int], Edit] = {}
    for framework, (source, place) in FILES.items():
        text = (MANIFESTS / source).read_text()
        chance = random.Random(f"{framework} {seed}")
        files[f"base/{place}"] = text
        comment = "" if source.endswith(".json") else COMMENTS.get(source, "#")
        for number in range(count):
            edits[framework, number] = done = edit(text, chance, comment)
            files[f"v{number}/{place}"] = done.text
    sha = repository.write(files, "edits")
    scan = reader.scan(repository.mirror(), sha, "none.yaml")
    by_name = {one.framework: one for one in scan.frameworks}
    wrong: list[str] = []
    for (framework, number), done in edits.items():
        source, place = FILES[framework]
        one = by_name[framework]
        assert one.status != "failed", one.reason
        base = [finding for finding in one.findings if finding.file_path == f"base/{place}"]
        assert base, f"{framework} finds nothing in {source}"
        text = (MANIFESTS / source).read_text()
        wrong += unjust(base, one, f"v{number}/{place}", f"v{number}/", done, text)
    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(900)
def test_no_edit_closes_a_finding_that_it_does_not_touch(reader: CheckovRunner, repository: Repository) -> None:
    judge(reader, repository, 40, 1)


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(2, 15))
def test_no_edit_does_with_more_seeds(reader: CheckovRunner, repository: Repository, seed: int) -> None:
    judge(reader, repository, 40, seed)
