"""What the configuration says of a project, for a request: read anew each time, so that an edit needs no restart."""

from collections.abc import Callable

from starlette.exceptions import HTTPException

from infraaudit.questions.asked import ProjectRules as ProjectRules
from infraaudit_domain.errors import ConfigurationError


def rules_of(rules: Callable[[str], ProjectRules], project: str) -> ProjectRules:
    """The rules of a project. Raises HTTPException 503 with what is wrong with the configuration."""
    try:
        return rules(project)
    except ConfigurationError as error:
        raise HTTPException(503, f"the configuration is wrong: {error}") from error
