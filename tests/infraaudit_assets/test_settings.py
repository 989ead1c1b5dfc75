"""Valid settings in the environment, and the errors reported of invalid ones."""

import pytest

from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError


@pytest.mark.parametrize("blank", ["", " "])
@pytest.mark.parametrize(
    ("name", "value"),
    [("WEBHOOK_SECRETS", '{{"shop": ["{}"]}}'), ("SERVICE_TOKENS", '["{}"]'), ("SERVICE_WRITE_TOKENS", '["{}"]')],
)
def test_a_secret_that_is_blank_is_refused_by_its_name(
    name: str, value: str, blank: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.cache_clear()
    monkeypatch.setenv(f"INFRAAUDIT_{name}", value.format("a real one"))
    assert settings()
    settings.cache_clear()
    monkeypatch.setenv(f"INFRAAUDIT_{name}", value.format(blank))
    with pytest.raises(ConfigurationError, match=f"INFRAAUDIT_{name}.*keeps nobody out"):
        settings()
    settings.cache_clear()
