"""Who is at this terminal, as far as the machine can vouch for it: no variable that anybody may set counts."""

import os
import pwd


def person() -> str:
    """The name of the user; where that is root by way of sudo, of the user who became root."""
    number = os.getuid()
    if number == 0 and (before := os.environ.get("SUDO_USER")):
        return before
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
