"""What a commit's own configuration asks Checkov to leave out: an allow-list of keys, each value checked.

Checkov itself is not given any of it: everything is scanned, and what a commit asks to leave out is marked as hidden
(hidings.py). A commit is hostile input: keys that load code, use the network, start programs or write elsewhere
(``external-checks-dir``, ``download-external-modules``, ``output-file-path`` …) are never honoured, and everything
that is not honoured makes a warning. Deliberately absent: parsing YAML (resources/checkov).
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infraaudit_domain.errors import excerpt
from infraaudit_domain.path_patterns import is_supported

DEFAULT_FRAMEWORKS = (
    "ansible", "argo_workflows", "arm", "azure_pipelines", "bicep", "bitbucket_pipelines", "circleci_pipelines",
    "cloudformation", "dockerfile", "github_actions", "gitlab_ci", "kubernetes", "openapi", "secrets", "serverless",
    "terraform", "terraform_json", "terraform_plan",
)  # fmt: skip
"""What Checkov runs by itself, without what uses the network or starts programs (helm, kustomize, sca_image,
sca_package, cdk, sast and the configuration of hosting services) and without ``json`` and ``yaml``, which have no
checks of their own."""

_REFUSED_FRAMEWORKS = {
    "helm": "starts programs of the commit's choice", "kustomize": "starts programs", "sca_image": "uses the network",
    "sca_package": "uses the network", "cdk": "needs an account", "github_configuration": "uses the network",
    "gitlab_configuration": "uses the network", "bitbucket_configuration": "uses the network",
    "json": "has no check without external ones", "yaml": "has no check without external ones",
}  # fmt: skip
_HONOURED = ("framework", "skip-framework", "check", "skip-check", "skip-path")
_CHECK = re.compile(r"(CKV|BC_|\*)[A-Z0-9_*?]{0,60}")
_MOST_VALUES, _LONGEST_VALUE = 500, 300


@dataclass(frozen=True, slots=True)
class CheckovConfig:
    """What a commit wants to hear of; equal configurations have equal digests."""

    frameworks: tuple[str, ...] = DEFAULT_FRAMEWORKS
    checks: tuple[str, ...] = ()
    """Only these, where there are any; patterns of ids, as in ``skip_checks``."""
    skip_checks: tuple[str, ...] = ()
    skip_paths: tuple[str, ...] = ()
    skip_frameworks: tuple[str, ...] = ()
    """Those that ``frameworks`` lacks since they are named under skip-framework."""

    @property
    def digest(self) -> str:
        return _digest([self.frameworks, self.filters])

    @property
    def filters(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """What hides findings of every framework."""
        return self.checks, self.skip_checks, self.skip_paths


def read_config(document: Any) -> tuple[CheckovConfig, tuple[str, ...]]:
    """The effective configuration of a parsed file, and a warning for everything in it that is not honoured."""
    if document is None:
        return CheckovConfig(), ()
    if not isinstance(document, Mapping):
        return CheckovConfig(), ("The Checkov configuration is no mapping of keys; scanned with the defaults.",)
    reader = _Reader({str(key).replace("_", "-"): value for key, value in document.items()})
    config = reader.config()
    return config, tuple(reader.warnings)


class _Reader:
    def __init__(self, keys: Mapping[str, Any]) -> None:
        self._keys = keys
        self.warnings = [
            f"{excerpt(key, 60)} is not honoured: only {', '.join(_HONOURED)} are taken from a commit."
            for key in sorted(keys)
            if key not in _HONOURED
        ]

    def config(self) -> CheckovConfig:
        wanted = self._frameworks("framework")
        frameworks = set(DEFAULT_FRAMEWORKS if wanted is None else wanted)
        skipped_frameworks = frameworks & set(self._frameworks("skip-framework", is_skipping=True) or ())
        frameworks -= skipped_frameworks
        if not frameworks:
            self.warnings.append("It leaves no framework to scan with: all that was found is hidden by it.")
        skipped = self._checks("skip-check")
        checks = self._checks("check")
        if both := sorted(set(checks) & set(skipped)):
            self.warnings.append(f"{', '.join(both)}: named under check and skip-check; skipped.")
        return CheckovConfig(
            frameworks=tuple(sorted(frameworks)),
            checks=tuple(check for check in checks if check not in both),
            skip_checks=skipped,
            skip_paths=self._paths(),
            skip_frameworks=tuple(sorted(skipped_frameworks)),
        )

    def _frameworks(self, key: str, is_skipping: bool = False) -> tuple[str, ...] | None:
        if self._keys.get(key) is None:
            return None
        names = self._values(key)
        if "all" in names and not is_skipping:
            return DEFAULT_FRAMEWORKS
        if not is_skipping:
            for name in names:
                if name not in DEFAULT_FRAMEWORKS:
                    why = _REFUSED_FRAMEWORKS.get(name, "is not known")
                    self.warnings.append(f"{key}: {excerpt(name, 60)} {why}; it is not run.")
        return tuple(name for name in names if name in DEFAULT_FRAMEWORKS)

    def _checks(self, key: str) -> tuple[str, ...]:
        values = self._values(key)
        for value in values:
            if not _CHECK.fullmatch(value):
                self.warnings.append(f"{key}: {excerpt(value, 60)} is no check id; it is not honoured.")
        return tuple(value for value in values if _CHECK.fullmatch(value))

    def _paths(self) -> tuple[str, ...]:
        paths = self._values("skip-path", separator=None)
        usable = tuple(path for path in paths if path.isprintable() and path.strip())
        if len(usable) < len(paths):
            self.warnings.append("skip-path: empty or unprintable entries are not honoured.")
        self.warnings += (
            f"skip-path: {excerpt(path, 60)} is matched as plain text: expressions look neither around nor back."
            for path in usable
            if not is_supported(path)
        )
        return usable

    def _values(self, key: str, separator: str | None = ",") -> tuple[str, ...]:
        raw = self._keys.get(key)
        items = raw if isinstance(raw, list) else [] if raw is None else [raw]
        if any(not isinstance(item, str) for item in items):
            self.warnings.append(f"{key}: entries that are no text are not honoured.")
        texts = [item for item in items if isinstance(item, str)]
        words = [word.strip() for text in texts for word in (text.split(separator) if separator else [text])]
        kept = [word for word in dict.fromkeys(words) if word and len(word) <= _LONGEST_VALUE][:_MOST_VALUES]
        if len(kept) < len(set(filter(None, words))):
            limits = f"{_MOST_VALUES} entries of {_LONGEST_VALUE} characters"
            self.warnings.append(f"{key}: more than {limits}; the rest is not honoured.")
        return tuple(sorted(kept))


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]
