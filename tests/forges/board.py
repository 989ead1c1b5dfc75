"""The comments of a stand-in's requests, written, edited and listed as each kind of forge does it."""

import json
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

from infraaudit_domain.reporting.forge_address import ForgeKind

_Answer = tuple[int, dict[str, str], bytes]


class Board:
    """Comments by request; every request is there."""

    def __init__(self, kind: ForgeKind) -> None:
        self._kind, self._ids = kind, count(1001)
        self._comments: dict[str, dict[str, Any]] = {}

    def texts(self, number: int) -> list[str]:
        """What people see of a request, oldest first."""
        return [one["text"] for one in self._comments.values() if one["number"] == str(number)]

    def say(self, number: int, text: str) -> str:
        """Somebody's comment; returns its id."""
        comment_id = str(next(self._ids))
        self._comments[comment_id] = {"id": int(comment_id), "number": str(number), "text": text, "version": 0}
        return comment_id

    def delete_all(self) -> None:
        self._comments.clear()

    def read(self, fields: dict[str, str], path: str) -> _Answer:
        if "comment" in fields:
            found = self._comments.get(fields["comment"])
            return _json(200, self._shown(found)) if found else _json(404, {"message": "Not Found"})
        asked = {name: int(values[0]) for name, values in parse_qs(urlsplit(path).query).items() if values[0].isdigit()}
        mine = [one for one in self._comments.values() if one["number"] == fields["number"]]
        return _json(200, self._page(mine, asked))

    def write(self, fields: dict[str, str], body: dict[str, Any]) -> _Answer:
        text = body["content"]["raw"] if "content" in body else body.get("text", body.get("body"))
        if "comment" not in fields:
            return _json(201, self._shown(self._comments[self.say(int(fields["number"]), str(text))]))
        found = self._comments.get(fields["comment"])
        if found is None:
            return _json(404, {"message": "Not Found"})
        if body.get("version", found["version"]) != found["version"]:
            return _json(409, {"errors": [{"message": "The comment was updated since"}]})
        found |= {"text": text, "version": found["version"] + 1}
        return _json(200, self._shown(found))

    def _page(self, mine: list[dict[str, Any]], asked: dict[str, int]) -> Any:
        shown = [self._shown(one) for one in mine]
        if self._kind is ForgeKind.GITEA:
            return shown
        if self._kind is ForgeKind.BITBUCKET_DC:
            acts = [{"action": "COMMENTED", "comment": one} for one in reversed(shown)] + [{"action": "OPENED"}]
            return {"values": acts[asked["start"] : asked["start"] + asked["limit"]]}
        size = asked["pagelen" if self._kind is ForgeKind.BITBUCKET else "per_page"]
        page = shown[(asked["page"] - 1) * size : asked["page"] * size]
        return {"values": page} if self._kind is ForgeKind.BITBUCKET else page

    def _shown(self, one: dict[str, Any]) -> dict[str, Any]:
        match self._kind:
            case ForgeKind.BITBUCKET:
                return {"id": one["id"], "content": {"raw": one["text"]}, "deleted": False}
            case ForgeKind.BITBUCKET_DC:
                return {"id": one["id"], "version": one["version"], "text": one["text"]}
            case _:
                return {"id": one["id"], "body": one["text"]}


def _json(status: int, content: Any) -> _Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(content).encode()
