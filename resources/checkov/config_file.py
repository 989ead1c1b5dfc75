"""Read a commit's Checkov configuration: small, flat YAML, or none at all."""

from typing import Any

from infraaudit_domain.errors import RepositoryError, excerpt
from infraaudit_domain.scans.checkov_config import CheckovConfig, read_config
from resources.checkov.limits import ScanLimits
from resources.checkov.reading.yaml_check import inspect_text
from resources.git.mirror import Mirror


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
    import yaml

    try:
        content = mirror.read(sha, path, limits.config_bytes)
    except RepositoryError as error:
        return None, (f"{error} Scanned with the defaults.",)
    if content is None:
        return None, ()
    verdict = inspect_text(content, 10, 10_000)
    if verdict:
        reason = verdict.get("reason") or verdict.get("broken")
        return None, (f"{path} is not usable ({excerpt(str(reason), 200)}); scanned with the defaults.",)
    try:
        return yaml.safe_load(content), ()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return None, (f"{path} is no usable YAML ({excerpt(str(error), 200)}); scanned with the defaults.",)
