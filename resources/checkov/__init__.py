"""Checkov over many commits: one primed parent, one limited child per scan, results reused where that is sound."""

from resources.checkov.limits import ScanLimits
from resources.checkov.runner import CheckovRunner, no_reuse

__all__ = ["CheckovRunner", "ScanLimits", "no_reuse"]
