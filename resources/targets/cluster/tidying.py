"""Put in order what an attempt left that was killed: nobody knows what it met, so its marks and its time have to do.

Removed is what it wrote last and what was made since it began; what it changed of the release that was live is put back,
unless the release that stays has it. Claims stay. Deliberately absent: the way back of a release that was watched to its
end (way_back.py).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from infraaudit_domain.delivery.deployments import Release
from infraaudit_domain.errors import InfraAuditError
from infraaudit_domain.kubernetes.fields import mapping
from infraaudit_domain.kubernetes.manifests import Document, identity
from resources.manifests.files import parse_manifests
from resources.targets.cluster.applying import Applying, remove
from resources.targets.cluster.owners import read_object
from resources.targets.cluster.way_back import HOLD_DATA, WayBack


def tidy(way_back: WayBack, since: datetime, stays: Release | None, live: Release | None, force: bool) -> list[str]:
    """A line for each object of the failed release of the way back that was touched, or could not be."""
    kept, former = _documents(stays), _documents(live)
    lines: list[str] = []
    for document in reversed(parse_manifests(way_back.failed.manifests)):
        name = identity(document)
        if name in kept or name in way_back.adopt:
            continue
        # A Job has run, and is not run again to have it back: one that was made anew is removed.
        before = former.get(name) if document["kind"] != "Job" else None
        try:
            lines += _tidied(way_back, document, before, since, force)
        except InfraAuditError as error:
            lines.append(f"{name} could not be put in order: {error}")
    return lines


def _tidied(
    way_back: WayBack, document: Document, before: Document | None, since: datetime, force: bool
) -> Iterable[str]:
    api, namespace, name = way_back.api, way_back.namespace, identity(document)
    now = read_object(api, namespace, document)
    if now is None or not way_back.is_of_the_failed(now):
        return ()
    if way_back.lease is not None:
        way_back.lease.check()
    if before is not None:
        Applying(api, namespace, way_back.failed.project, {}, force=force).apply([before])
        return (f"{name} is as it was before",)
    if not _was_made_since(now, since):
        return ()
    if document["kind"] in HOLD_DATA:
        return (f"{name} stays: it may hold data",)
    remove(api, namespace, document)
    return (f"{name} is removed",)


def _documents(release: Release | None) -> dict[str, Document]:
    return {identity(document): document for document in parse_manifests(release.manifests)} if release else {}


def _was_made_since(found: dict[str, Any], moment: datetime) -> bool:
    """To the second, which is what the API server's times have; what has none is taken for older."""
    made = str(mapping(found.get("metadata")).get("creationTimestamp") or "")
    try:
        return bool(made) and datetime.fromisoformat(made) >= moment.replace(microsecond=0)
    except ValueError:
        return False
