"""Who is notified in this installation: INFRAAUDIT_NOTIFY, and what the projects name."""

from collections.abc import Callable, Sequence

from infraaudit_assets.settings import Settings
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.recipients import Address, Recipients, recipients_of, unheard


def everyones(current: Settings, projects: Sequence[Project]) -> Callable[[str], Recipients]:
    """Those of a project, by its name."""
    everywhere = [Address(url.get_secret_value()) for url in current.notify]
    own = {project.name: project.recipients for project in projects}
    return lambda name: recipients_of(name, everywhere, own)


def note_of_unheard(current: Settings, project: Project) -> str:
    """What is said of a project whose failing tests nobody would hear of; empty where somebody would."""
    hear = everyones(current, [project])(project.name).hear_failures
    return "" if hear else unheard(project.name)
