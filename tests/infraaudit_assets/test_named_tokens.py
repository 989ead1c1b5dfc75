"""Named tokens in the environment: with a role, as a bare list, and what is refused."""

from collections.abc import Iterator

import pytest

from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.judging.roles import Role


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_a_list_alone_is_a_deployer_and_a_role_is_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    given = '{"ci": ["a", "b"], "ada": {"role": "triager", "tokens": ["c"]}, "eve": {"tokens": ["d"]}}'
    monkeypatch.setenv("INFRAAUDIT_SERVICE_NAMED_TOKENS", given)
    found = settings().service_named_tokens
    assert {name: (one.role, len(one.tokens)) for name, one in found.items()} == {
        "ci": (Role.DEPLOYER, 2), "ada": (Role.TRIAGER, 1), "eve": (Role.DEPLOYER, 1),
    }  # fmt: skip


@pytest.mark.parametrize(
    "given",
    ['{"role": "root", "tokens": ["c"]}', '{"role": "admin"}', '{"tokens": ["c"], "rolle": "reader"}', '[" "]', "[]",
     '{"role": "admin", "tokens": []}', '"c"'],
)  # fmt: skip
def test_what_is_no_role_or_no_token_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFRAAUDIT_SERVICE_NAMED_TOKENS", f'{{"ada": {given}}}')
    with pytest.raises(ConfigurationError, match="INFRAAUDIT_SERVICE_NAMED_TOKENS"):
        settings()
