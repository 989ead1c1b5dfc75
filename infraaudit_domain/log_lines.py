"""The level of a log line, and what in it looks like a secret. Deliberately absent: keeping it."""

import json
import re

LEVELS = ("debug", "info", "warning", "error")
_LEVEL = re.compile(r"\b(debug|info|warn(?:ing)?|error|critical|fatal)\b", re.IGNORECASE)
_SECRET = re.compile(
    r"((?:password|passwd|secret|token|api[_-]?key|authorization)[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic)\s+)?)[^\s\"',;]+"
    r"|(://[^/\s:@]+:)[^/\s@]+(?=@)"
    r"|\bA[KS]IA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}\b|\bgithub_pat_\w{22,}|\bglpat-[\w-]{20,}"
    r"|\bxox[abeoprs]-[\w-]{10,}|\bAIza[\w-]{35}|\b[rs]k_live_[A-Za-z0-9]{20,}|\bnpm_[A-Za-z0-9]{36}\b"
    r"|\bSG\.[\w-]{22}\.[\w-]{43}|(?<![\w-])eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
    re.IGNORECASE,
)
_NAMES = {"warn": "warning", "fatal": "error", "critical": "error"}


def mask_secrets(text: str, no_secret: re.Pattern[str] | None = None) -> str:
    """Replace what looks like a secret by ``***``; the name it belongs to stays readable.

    ``no_secret`` are values that stay where only their name speaks against them, such as those of a switch in code.
    """

    def masked(match: re.Match[str]) -> str:
        name = match.group(1) or ""
        if name and no_secret and no_secret.fullmatch(match.group(0)[len(name) :]):
            return match.group(0)
        return f"{name or match.group(2) or ''}***"

    return _SECRET.sub(masked, text)


def level_of(text: str) -> str:
    """debug, info, warning or error: of a JSON line's own level, else of the first word that names one."""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    word = str(parsed.get("level") or parsed.get("severity") or "") if isinstance(parsed, dict) else text
    found = _LEVEL.search(word)
    name = found.group(1).lower() if found else "info"
    return _NAMES.get(name, name)
