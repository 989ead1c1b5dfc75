"""Who is at this terminal, as far as the machine can vouch for it: no variable that anybody may set counts."""

import os
import pwd
import socket
from pathlib import Path

from infraaudit_domain.judging.audit_log import Actor, Via

_UID_MAP = Path("/proc/self/uid_map")
_EVERY_UID = ["0", "0", str(2**32 - 1)]
_NOBODY_IN_PARTICULAR = "somebody in a user namespace"


def person() -> str:
    """The name of the user; where that is root by way of sudo, of the user who became root. In a user namespace anybody
    may have any number: all of them have one name there."""
    if not _numbers_are_those_of_the_machine():
        return _NOBODY_IN_PARTICULAR
    number = os.getuid()
    if number == 0 and (before := os.environ.get("SUDO_USER")):
        return before
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _numbers_are_those_of_the_machine() -> bool:
    return not _UID_MAP.exists() or _UID_MAP.read_text().split() == _EVERY_UID


def me() -> Actor:
    """The person at this terminal, with the terminal and the machine, for the audit log."""
    terminal = os.ttyname(0) if os.isatty(0) else "no terminal"
    return Actor(person(), Via.CLI, f"{socket.gethostname()}, {terminal}")
