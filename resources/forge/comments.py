"""Write the one comment of a request, edit it, and find it again by its mark.

Deliberately absent: when (infraaudit/forge/commenting.py), and what each forge's API looks like.
"""

import json
from dataclasses import replace
from typing import Any

from infraaudit_domain.forge.answers import Answer, Result
from infraaudit_domain.forge.comments import mark_line
from resources.forge.client import ForgeClient
from resources.forge.request import PAGE, Comment

_MOST_PAGES = 20
_UNREAD = "its answer is no comment, or too long to be read"


async def find_comment(client: ForgeClient, number: int, mark: str) -> tuple[Answer, Comment | None]:
    """The first comment with our mark; None where the forge has none and says so."""
    answer = Answer(Result.TAKEN)
    for page in range(_MOST_PAGES):
        request = client.adapter.comments(client.forge, number, page)
        if request is None:
            return answer, None
        answer = await client.ask(request)
        if answer.result is not Result.TAKEN:
            return answer, None
        try:
            listed = list(client.adapter.listed(json.loads(answer.content)))
            read = [client.adapter.comment_in(one) for one in listed if one]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            # What cannot be read may hold it: writing another would double it.
            return Answer(Result.REJECTED, _UNREAD), None
        if found := next((one for one in read if one and mark_line(mark) in one.text), None):
            return answer, found
        if len(listed) < PAGE:
            return answer, None
    return Answer(Result.REJECTED, "it has too many comments to look for ours"), None


async def write_comment(client: ForgeClient, number: int, text: str) -> tuple[Answer, str]:
    """Write a comment; returns its id, which is empty where the forge did not say it."""
    answer = await client.ask(client.adapter.new_comment(client.forge, number, text))
    found = _comment(client, answer) if answer.result is Result.TAKEN else None
    return answer, found.id if found else ""


async def edit_comment(client: ForgeClient, number: int, comment_id: str, text: str) -> Answer:
    """Have a comment say something else; absent where somebody deleted it."""
    answer = await client.ask(client.adapter.comment(client.forge, number, comment_id))
    if answer.result is not Result.TAKEN:
        return answer
    found = _comment(client, answer)
    if found is None:
        return Answer(Result.ABSENT, "the comment was deleted")
    edited = client.adapter.edited_comment(client.forge, number, replace(found, id=comment_id), text)
    return await client.ask(edited)


def _comment(client: ForgeClient, answer: Answer) -> Comment | None:
    try:
        content: Any = json.loads(answer.content)
        return client.adapter.comment_in(content)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
