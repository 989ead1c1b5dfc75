"""Templates to HTML. Everything that a commit's author controls (subjects, paths, resources, log ends) is escaped
here."""

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from markupsafe import Markup, escape

from infraaudit.pages.audit.verdict import word_of
from infraaudit.questions.parameters import SEVERITIES
from infraaudit.questions.table import asked_as
from infraaudit_domain.errors import excerpt

if TYPE_CHECKING:
    import jinja2

_TEMPLATES = Path(__file__).parent / "templates"
STYLE = (_TEMPLATES / "style.css").read_text().strip()
STYLE_HASH = f"sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}"
"""The hash of the one style sheet, so that a content security policy can allow it alone."""


def render(template: str, **values: Any) -> str:
    """One page. An undefined name in a template is an error, not a blank."""
    return _environment().get_template(template).render(**values)


@lru_cache(maxsize=1)
def _environment() -> "jinja2.Environment":
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "clean": _clean,
        "path": lambda path: escape(_clean(path)).replace("/", Markup("/<wbr>")),
        "moment": _moment,
        "day": lambda moment: moment.strftime("%Y-%m-%d"),
        "span": span,
        "number": lambda value: "—" if value is None else f"{value:,}",
        "query": _query,
    }
    environment.globals |= {
        "severities": SEVERITIES,
        "style": STYLE,
        "heading": _heading,
        "word_of": word_of,
        "style_hash": STYLE_HASH,
        "now": lambda: datetime.now(UTC),
    }
    return environment


def span(seconds: float | None) -> str:
    """A length of time in its largest two units that matter."""
    if seconds is None:
        return "—"
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    length = timedelta(seconds=seconds)
    if length.days >= 60:
        return f"{length.days:,} d"
    if length.days:
        return f"{length.days} d {length.seconds // 3600} h"
    minutes, rest = divmod(length.seconds, 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{rest} s"


def _heading(question: str, column: str) -> str:
    """The title of a question's column, as the table of questions has it."""
    title = asked_as(question).headings[column]
    return title[:1].upper() + title[1:]


def _clean(value: Any, limit: int = 400) -> str:
    return excerpt(str(value), limit)


def _moment(moment: datetime | str) -> str:
    given = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return given.strftime("%Y-%m-%d %H:%M")


def _query(given: Mapping[str, Any], **changed: Any) -> str:
    """A query string with some values changed; empty values are removed."""
    kept = {name: str(value) for name, value in {**given, **changed}.items() if value not in ("", 0, None)}
    return f"?{urlencode(kept)}"
