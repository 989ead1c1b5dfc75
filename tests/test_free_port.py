"""A port of a test is no other's, in whatever process that runs."""

import subprocess
import sys

from tests import ROOT
from tests.conftest import free_port

TAKES_THE_FIRST_IT_GETS = """
import sys
from types import SimpleNamespace
from tests import conftest
numbers = iter(map(int, sys.argv[1:]))
conftest._chance = SimpleNamespace(randrange=lambda *_: next(numbers))
print(conftest.free_port())
"""


def drawn_by_another_process(*numbers: int) -> int:
    words = [sys.executable, "-c", TAKES_THE_FIRST_IT_GETS, *map(str, numbers)]
    return int(subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def test_a_port_is_given_once_while_its_process_lives() -> None:
    ours = free_port()
    theirs = drawn_by_another_process(ours, *range(20_000, 30_000))
    assert theirs != ours
    assert drawn_by_another_process(ours, theirs) == theirs, "the process that had it has ended"
