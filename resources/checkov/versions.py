"""The versions that a stored result depends on, read without importing Checkov."""

import functools
import hashlib
import re
import sys
from importlib import metadata

from infraaudit_domain.scans import evidence

RULES = "8"
"""Increased by hand when we read reports, trees or configurations differently."""


@functools.cache
def scanner_version() -> str:
    """For people: the version of Checkov."""
    return f"checkov {metadata.version('checkov')}"


@functools.cache
def versions_digest() -> str:
    """For keys: Checkov, everything that it depends on, Python, and our own rules."""
    found: dict[str, str] = {}
    waiting = ["checkov"]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
            continue
        found[name] = distribution.version
        waiting += [_name(line) for line in distribution.requires or () if "extra ==" not in line]
    text = repr((RULES, evidence.RULES, sys.version_info[:3], sorted(found.items())))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower()
