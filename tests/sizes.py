"""How many random examples a test tries: enough for every run, and ten times as many in `make test-long`."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings

from tests.conftest import LONG


def examples(few: int) -> Callable[[Any], Any]:
    """Decorate a test of ``given`` values; `make test-long` selects it by its mark."""
    sized = settings(max_examples=few * (10 if LONG in os.environ else 1), deadline=None)
    return lambda test: pytest.mark.sized(sized(test))
