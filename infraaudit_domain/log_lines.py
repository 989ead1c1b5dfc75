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


def mask_secrets(text: str) -> str:
    """Replace what looks like a secret by ``***``; the name it belongs to stays readable."""
    return _SECRET.sub(lambda match: f"{match.group(1) or match.group(2) or ''}***", text)


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
