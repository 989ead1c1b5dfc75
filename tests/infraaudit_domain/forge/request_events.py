"""What each forge sends of a pull or merge request, shaped as its documentation shows it."""

from datetime import datetime
from typing import Any

HEAD = "c" * 40
CHANGED = "2026-03-01T10:00:00Z"
HEADERS = {
    "github": {"x-github-event": "pull_request"},
    "gitea": {"x-gitea-event": "pull_request_sync", "x-github-event": "pull_request"},
    "gitlab": {"x-gitlab-event": "Merge Request Hook"},
    "bitbucket": {"x-event-key": "pullrequest:updated"},
    "bitbucket-dc": {"x-event-key": "pr:from_ref_updated"},
}
OPEN = {"github": "open", "gitea": "open", "gitlab": "opened", "bitbucket": "OPEN", "bitbucket-dc": "OPEN"}
CLOSED = {
    "github": "closed",
    "gitea": "closed",
    "gitlab": "closed",
    "bitbucket": "DECLINED",
    "bitbucket-dc": "DECLINED",
}


def event(
    forge: str,
    state: str = "",
    source: str | None = "group/shop",
    head: str = HEAD,
    title: Any = "A title",
    changed: str = CHANGED,
    number: Any = 7,
) -> dict[str, Any]:
    """The payload of a request from ``source``; None is a repository that is gone."""
    state = state or OPEN[forge]
    return _MADE[forge](number, state, source, head, title, changed)


def _github(number: Any, state: str, source: str | None, head: str, title: Any, changed: str) -> dict[str, Any]:
    return {
        "action": "synchronize",
        "number": number,
        "pull_request": {
            "number": number, "state": state, "title": title, "user": {"login": "ada"}, "merged": False,
            "updated_at": changed,
            "head": {"ref": "topic", "sha": head, "repo": {"full_name": source} if source else None},
            "base": {"ref": "main", "sha": "d" * 40, "repo": {"full_name": "group/shop"}},
        },
    }  # fmt: skip


def _gitea(number: Any, state: str, source: str | None, head: str, title: Any, changed: str) -> dict[str, Any]:
    made = _github(number, state, source, head, title, changed)
    made["pull_request"]["head"]["label"] = "topic"
    return made


def _gitlab(number: Any, state: str, source: str | None, head: str, title: Any, changed: str) -> dict[str, Any]:
    return {
        "object_kind": "merge_request",
        "user": {"username": "ada"},
        "object_attributes": {
            "iid": number, "id": 99, "state": state, "title": title, "source_branch": "topic", "target_branch": "main",
            "last_commit": {"id": head}, "updated_at": changed.replace("T", " ").replace("Z", " UTC"),
            "source": {"path_with_namespace": source} if source else None,
            "target": {"path_with_namespace": "group/shop"},
        },
    }  # fmt: skip


def _bitbucket(number: Any, state: str, source: str | None, head: str, title: Any, changed: str) -> dict[str, Any]:
    return {
        "pullrequest": {
            "id": number, "state": state, "title": title, "author": {"nickname": "ada"},
            "updated_on": changed.replace("Z", ".000000+00:00"),
            "source": {"branch": {"name": "topic"}, "commit": {"hash": head},
                       "repository": {"full_name": source} if source else None},
            "destination": {"branch": {"name": "main"}, "commit": {"hash": "d" * 12},
                            "repository": {"full_name": "group/shop"}},
        },
    }  # fmt: skip


def _data_center(number: Any, state: str, source: str | None, head: str, title: Any, changed: str) -> dict[str, Any]:
    def repository(name: str) -> dict[str, Any]:
        key, slug = name.split("/")
        return {"slug": slug, "project": {"key": key}}

    return {
        "eventKey": "pr:from_ref_updated",
        "pullRequest": {
            "id": number, "state": state, "title": title, "author": {"user": {"name": "ada"}},
            "updatedDate": int(datetime.fromisoformat(changed).timestamp() * 1000),
            "fromRef": {"id": "refs/heads/topic", "latestCommit": head,
                        "repository": repository(source) if source else None},
            "toRef": {"id": "refs/heads/main", "latestCommit": "d" * 40, "repository": repository("group/shop")},
        },
    }  # fmt: skip


_MADE = {
    "github": _github,
    "gitea": _gitea,
    "gitlab": _gitlab,
    "bitbucket": _bitbucket,
    "bitbucket-dc": _data_center,
}
