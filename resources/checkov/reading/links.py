"""Links to files in a commit's tree, which a scanner reads like the files that they lead to.

They are written out as files, so that nothing is followed on disk. Deliberately absent: links to folders, which Checkov
does not enter.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from infraaudit_domain.commits import TreeEntry
from infraaudit_domain.errors import excerpt
from infraaudit_domain.scans.scan_key import may_read
from resources.git.mirror import Mirror

_MOST_STEPS = 1000
"""Names on the way of one link."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A tree with the content of files in the place of links."""

    entries: list[TreeEntry]
    lost: Mapping[str, str]
    """Links that lead to no file of the commit, with where they lead."""


def followed(mirror: Mirror, tree: Sequence[TreeEntry], frameworks: Sequence[str]) -> Followed:
    """The tree with the links that any of the frameworks may read as the files that they lead to."""
    links = [entry for entry in tree if entry.is_link]
    read = [entry for entry in links if any(may_read(name, entry.path) for name in frameworks)]
    if not read:
        return Followed([*tree], {})
    files = {entry.path: entry for entry in tree if entry.is_file}
    folders = {folder for entry in tree for folder in _folders(entry.path)}
    targets = mirror.link_targets(links)
    found, lost = dict[str, TreeEntry](), dict[str, str]()
    for link in read:
        place = _end(link.path, targets, folders)
        if place in files:
            found[link.path] = replace(files[place], path=link.path)
        elif place not in folders:
            lost[link.path] = excerpt(targets.get(link.path, ""), 200)
    return Followed([found.get(entry.path, entry) for entry in tree], lost)


def _end(path: str, targets: Mapping[str, str], folders: Collection[str]) -> str:
    """Where a link leads to, over other links to files and folders; out of the tree, or in a circle, is nowhere."""
    ahead, place = path.split("/")[::-1], list[str]()
    for _ in range(_MOST_STEPS):
        if not ahead:
            return "/".join(place) or "."
        part = ahead.pop()
        if part == "..":
            if not place:
                return ""
            place.pop()
        elif part not in ("", "."):
            place.append(part)
            here = "/".join(place)
            if target := targets.get(here):
                if target.startswith("/"):
                    return ""
                place.pop()
                ahead += target.split("/")[::-1]
            elif ahead and here not in folders:
                return ""
    return ""


def _folders(path: str) -> set[str]:
    parts = path.split("/")
    return {".", *("/".join(parts[:number]) for number in range(1, len(parts)))}
