"""Ask a stand-in of a forge as the product does."""

import asyncio
from collections.abc import Awaitable, Callable

from infraaudit_domain.forge.answers import Answer
from infraaudit_domain.forge.statuses import CommitStatus, StatusState
from resources.forge.client import ForgeClient, new_connections
from tests.forges.stand_in import TOKEN, StandIn

SHA = "a" * 40
LINK = "https://audit.example/projects/shop/commits/" + SHA


def asked(server: StandIn, work: Callable[[ForgeClient], Awaitable[Answer]], token: str = TOKEN) -> Answer:
    async def run() -> Answer:
        async with new_connections() as connections:
            return await work(ForgeClient(server.forge, token, connections))

    return asyncio.run(run())


def sent(
    server: StandIn,
    state: StatusState = StatusState.SUCCESS,
    words: str = "3 of 3 passed",
    sha: str = SHA,
    token: str = TOKEN,
    context: str = "infraaudit/shop/tests",
    link: str = LINK,
) -> Answer:
    status = CommitStatus(context, state, words)
    return asked(server, lambda client: client.set_status(sha, status, link), token)
