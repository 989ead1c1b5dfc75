"""How a stage of the pipeline ended. Deliberately absent: running one (infraaudit_assets/assets/stage.py)."""

from enum import StrEnum


class StageOutcome(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETRIED = "retried"
    """It failed for a reason that may pass; the same run tries again."""
    SKIPPED = "skipped"
