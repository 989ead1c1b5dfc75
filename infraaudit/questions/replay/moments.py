"""The moment that a question is about: a time, a day, or the time of a commit.

A time without a zone is in UTC. A day is its end, or now where it has not ended. Deliberately absent: words such as
"yesterday", which mean another moment for each reader.
"""

from datetime import UTC, datetime, time

from infraaudit.questions.asked import Asked
from infraaudit.questions.parameters import is_moment, moment
from infraaudit_domain.errors import NotThereError
from resources.history.queries.frames import commits_named


def asked_moment(asked: Asked, name: str = "when") -> datetime:
    """The moment in UTC, now where none is given. Raises NotThereError for the future, and for an unknown commit."""
    given = asked.text(name).strip()
    if not given:
        return asked.now
    if not is_moment(given):
        return _committed(asked, name)
    at = moment(given)
    assert at is not None
    if at > asked.now:
        raise NotThereError(f"{given} is in the future: it is {asked.now:%Y-%m-%dT%H:%M} UTC now.")
    if len(given) == len("2026-01-31"):
        return min(datetime.combine(at.date(), time.max, UTC), asked.now)
    try:
        return at.astimezone(UTC)
    except OverflowError:  # in the first hours of the year 1
        return datetime.min.replace(tzinfo=UTC)


def _committed(asked: Asked, name: str) -> datetime:
    sha = asked.commit(name)
    known = commits_named(asked.history, asked.project, [sha]).get(sha)
    if known is not None:
        return known["committed_at"].astimezone(UTC)  # type: ignore[no-any-return]
    if asked.rules.mirror is None:
        raise NotThereError(f"The time of {sha[:12]} is not recorded; give a time, as 2026-01-31T14:03.")
    return asked.rules.mirror.commit(sha).committed_at.astimezone(UTC)
