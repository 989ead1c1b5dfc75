"""Read a commit's Checkov configuration: small, flat YAML, or none at all."""

from typing import Any

from infraaudit_domain.errors import RepositoryError, excerpt
from infraaudit_domain.scans.checkov_config import CheckovConfig, read_config
from resources.checkov.limits import ScanLimits
from resources.git.mirror import Mirror
from resources.machine.yaml_text import Bounds, UnreadableError, read_documents

_BOUNDS = Bounds(depth=10, nodes=10_000, aliases=True)


def configuration(
    mirror: Mirror,
    sha: str,
    path: str,
    limits: ScanLimits = ScanLimits(),  # noqa: B008 - frozen
) -> tuple[CheckovConfig, tuple[str, ...]]:
    """What a commit's file asks to leave out, and a warning for everything in it that is not honoured."""
    document, faults = parse_config_file(mirror, sha, path, limits)
    config, warnings = read_config(document)
    return config, (*faults, *warnings)


def parse_config_file(mirror: Mirror, sha: str, path: str, limits: ScanLimits) -> tuple[Any, tuple[str, ...]]:
    """The parsed document (None where none is usable) and warnings.

    An unusable file changes nothing: the defaults scan more than any configuration may ask for.
    """
    try:
        content = mirror.read(sha, path, limits.config_bytes)
    except RepositoryError as error:
        return None, (f"{error} Scanned with the defaults.",)
    try:
        found = read_documents((content or b"").decode("utf-8-sig"), _BOUNDS)
    except (UnreadableError, UnicodeDecodeError) as error:
        return None, (f"{path} is not usable ({excerpt(str(error), 200)}); scanned with the defaults.",)
    if len(found) > 1:
        return None, (f"{path} is not usable (it has {len(found)} documents); scanned with the defaults.",)
    return (found[0] if found else None), ()
