"""Match a commit's regular expressions against paths, in time that a hostile expression cannot stretch.

Python's own matcher goes back and tries again, which a short expression can make last for years. Here all alternatives
advance together, one character of the path at a time. Deliberately absent: what makes that impossible (references
back and looks around), in which a pattern is taken for plain text.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from re import _constants as op
from re import _parser
from typing import Any

_MOST_STATES = 2_000
_MOST_STEPS = 5_000_000
"""States times characters that all searches of one finder may cost: some seconds."""
_LINE_BEGIN, _LINE_END = ("begin",), ("end",)


class UnsupportedError(ValueError):
    """A pattern that cannot be matched in bounded time."""


@dataclass(slots=True)
class _Machine:
    """States with, for each, a test of a character (None: none is consumed) and the states after it."""

    tests: list[Any] = field(default_factory=list)
    after: list[list[int]] = field(default_factory=list)

    def state(self, test: Any, *after: int) -> int:
        if len(self.tests) >= _MOST_STATES:
            raise UnsupportedError
        self.tests.append(test)
        self.after.append(list(after))
        return len(self.tests) - 1


def is_supported(pattern: str) -> bool:
    """Whether a pattern is matched as an expression; others are matched as plain text."""
    return _compiled(pattern) is not None


class Finder:
    """Looks for the patterns of ``skip-path`` in paths, by Checkov's rules: as expressions, or as plain text.

    What all searches together may cost is limited; beyond that only plain text is found.
    """

    def __init__(self, patterns: Sequence[str], steps: int = _MOST_STEPS) -> None:
        self._patterns, self._left = patterns, steps

    def found(self, path: str) -> tuple[str, ...]:
        """The patterns that skip a file, or a folder that it is in."""
        return tuple(pattern for pattern in self._patterns if self._is_found(pattern, path))

    def _is_found(self, pattern: str, path: str) -> bool:
        names = path.split("/")
        places = ["/" + "/".join(names[: count + 1]) for count in range(len(names))]
        if pattern in places[-1]:
            return True
        for place in places if self._left > 0 else ():
            is_match, steps = _searched(pattern, place, min(self._left, _MOST_STEPS // 10))
            self._left -= steps
            if is_match:
                return True
        return False


@lru_cache(maxsize=50_000)
def _searched(pattern: str, place: str, most: int) -> tuple[bool, int]:
    machine = _compiled(re.escape(pattern) if re.match(r"^\.[^.]", pattern) else pattern)
    return _search(machine, place, most) if machine is not None else (False, 1)


@lru_cache(maxsize=2_000)
def _compiled(pattern: str) -> _Machine | None:
    machine = _Machine()
    try:
        tree = _parser.parse(pattern)
        if tree.state.flags & ~re.UNICODE:
            return None
        _add_all(machine, tree, machine.state("match"))
    except (UnsupportedError, re.error, RecursionError, OverflowError):
        return None
    return machine


def _add_all(machine: _Machine, items: Iterable[Any], end: int) -> int:
    """Put a sequence before the state ``end``; returns its first state. The last state added is the first one."""
    for item in reversed(list(items)):
        end = _add(machine, item, end)
    return machine.state(None, end)


def _add(machine: _Machine, item: Any, end: int) -> int:
    code, value = item
    if code in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN):
        return machine.state(_test_of(code, value), end)
    if code is op.BRANCH:
        return machine.state(None, *(_add_all(machine, branch, end) for branch in value[1]))
    if code is op.SUBPATTERN and not value[1] and not value[2]:
        return _add_all(machine, value[3], end)
    if code in (op.MAX_REPEAT, op.MIN_REPEAT):
        least, most, items = value
        return _repeated(machine, least, most, items, end)
    if code is op.AT and value in (op.AT_BEGINNING, op.AT_BEGINNING_STRING):
        return machine.state(_LINE_BEGIN, end)
    if code is op.AT and value in (op.AT_END, op.AT_END_STRING):
        return machine.state(_LINE_END, end)
    raise UnsupportedError


def _repeated(machine: _Machine, least: int, most: int, items: Any, end: int) -> int:
    if most is op.MAXREPEAT:
        again = machine.state(None, end)
        machine.after[again].append(_add_all(machine, items, again))
        start = again
    else:
        start = end
        for _ in range(most - least):
            start = machine.state(None, _add_all(machine, items, start), end)
    for _ in range(least):
        start = _add_all(machine, items, start)
    return start


def _test_of(code: Any, value: Any) -> Any:
    if code is op.ANY:
        return re.compile(".")
    if code in (op.LITERAL, op.NOT_LITERAL):
        return re.compile(f"[{'^' if code is op.NOT_LITERAL else ''}\\U{value:08x}]")
    return re.compile(f"[{''.join(_in_set(*member) for member in value)}]")


_CATEGORIES = {
    op.CATEGORY_DIGIT: r"\d", op.CATEGORY_NOT_DIGIT: r"\D", op.CATEGORY_SPACE: r"\s", op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w", op.CATEGORY_NOT_WORD: r"\W",
}  # fmt: skip


def _in_set(code: Any, value: Any) -> str:
    if code is op.NEGATE:
        return "^"
    if code is op.LITERAL:
        return f"\\U{value:08x}"
    if code is op.RANGE:
        return f"\\U{value[0]:08x}-\\U{value[1]:08x}"
    return _CATEGORIES[value]


def _search(machine: _Machine, text: str, most: int) -> tuple[bool, int]:
    """Whether it is found, and what that cost."""
    first, steps = len(machine.tests) - 1, 0
    current: set[int] = set()
    for position in range(len(text) + 1):
        current |= {first}
        current, is_match = _closure(machine, current, position == 0, position == len(text))
        steps += len(current) + 1
        if is_match:
            return True, steps
        if position == len(text) or steps > most:
            break
        letter = text[position]
        current = {after for state in current if machine.tests[state].match(letter) for after in machine.after[state]}
    return False, steps


def _closure(machine: _Machine, states: set[int], is_begin: bool, is_end: bool) -> tuple[set[int], bool]:
    """The states that consume a character, and whether the pattern has matched."""
    seen, waiting, consuming = set(states), list(states), set[int]()
    while waiting:
        state = waiting.pop()
        test = machine.tests[state]
        if test == "match":
            return consuming, True
        passes = test is None or (test is _LINE_BEGIN and is_begin) or (test is _LINE_END and is_end)
        if passes:
            fresh = [after for after in machine.after[state] if after not in seen]
            seen.update(fresh)
            waiting += fresh
        elif test is not _LINE_BEGIN and test is not _LINE_END:
            consuming.add(state)
    return consuming, False
