"""Why pytest ended without a result, in its own words."""

import re
from collections.abc import Sequence

from infraaudit_domain.errors import excerpt

_REASON = re.compile(
    r"(?:INTERNALERROR> +)?(?:ERROR\b|E  |usage:|__main__\.py: error|\S*pytest\S*: error|inifile:|rootdir:"
    r"|(?:\w+\.)*\w*(?:Error|Exception|Exit)\b.{0,4}:|\S+: No module named|Fatal Python error|Segmentation fault)"
)
_FRAME = re.compile(r"INTERNALERROR> +(?:File|Traceback| )")
_MOST = 6
_LONGEST = 1500


def last_words(output: Sequence[str]) -> str:
    """The lines of its output that give a reason, else the last ones; with a colon before, and empty without output."""
    lines = [line.rstrip() for line in output if line.strip()]
    reasons = [line for line in lines if _REASON.match(line) and not _FRAME.match(line)]
    said = "\n".join((reasons or lines)[-_MOST:])
    return f" It said:\n{excerpt(said, _LONGEST)}" if said else ""
