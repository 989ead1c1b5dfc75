"""Where a repository's forge answers, guessed from its URL; a token never goes anywhere that the projects file does not say."""

import pytest

from infraaudit_domain.reporting.forge_address import ForgeKind, forge_of_url


@pytest.mark.parametrize(
    ("url", "kind", "api", "repository"),
    [
        ("https://github.com/acme/shop.git", "github", "https://api.github.com", "acme/shop"),
        ("git@github.com:acme/shop.git", "github", "https://api.github.com", "acme/shop"),
        ("ssh://git@ssh.github.com:443/acme/shop", "github", "https://api.github.com", "acme/shop"),
        ("https://github.acme.example/a/b/", "github", "https://github.acme.example/api/v3", "a/b"),
        ("https://acme.ghe.com/a/b", "github", "https://api.acme.ghe.com", "a/b"),
        ("https://gitlab.com/group/sub/shop.git", "gitlab", "https://gitlab.com/api/v4", "group/sub/shop"),
        ("git@gitlab.acme.example:g/s.git", "gitlab", "https://gitlab.acme.example/api/v4", "g/s"),
        ("https://user:secret@gitlab.acme.example:8443/g/s", "gitlab", "https://gitlab.acme.example:8443/api/v4", "g/s"),
        ("https://codeberg.org/a/b", "gitea", "https://codeberg.org/api/v1", "a/b"),
        ("https://forgejo.acme.example/code/a/b", "gitea", "https://forgejo.acme.example/code/api/v1", "a/b"),
        ("ssh://git@gitea.acme.example:2222/a/b", "gitea", "https://gitea.acme.example/api/v1", "a/b"),
        ("git@bitbucket.org:team/shop.git", "bitbucket", "https://api.bitbucket.org/2.0", "team/shop"),
        ("https://bitbucket.acme.example/scm/KEY/shop.git", "bitbucket-dc", "https://bitbucket.acme.example/rest", "KEY/shop"),
        ("https://bitbucket.acme.example/scm/~jo/shop.git", "bitbucket-dc", "https://bitbucket.acme.example/rest", "~jo/shop"),
    ],
)  # fmt: skip
def test_the_forge_of_a_url(url: str, kind: str, api: str, repository: str) -> None:
    found = forge_of_url(url)
    assert (found.kind, found.api, found.repository) == (kind, api, repository)


def test_what_is_given_goes_before_what_the_url_says() -> None:
    found = forge_of_url("/srv/mirror.git", ForgeKind.GITEA, "http://127.0.0.1:3000/api/v1/", "a/b", "/run/token")
    assert (found.api, found.repository, found.token_file) == ("http://127.0.0.1:3000/api/v1", "a/b", "/run/token")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"url": "https://git.acme.example/a/b"}, "kind"),
        ({"url": "/srv/shop.git"}, "kind"),
        ({"url": "https://github.com.evil.example/a/b"}, None),
        ({"url": "https://github.com/a/b/c"}, "repository"),
        ({"url": "https://github.com/a/.."}, "repository"),
        ({"url": "https://github.com/a"}, "repository"),
        ({"url": "https://gitlab.com/a/%2e%2e/b"}, "repository"),
        ({"url": "http://gitlab.acme.example/a/b"}, "api"),
        ({"url": "https://github.com/a/b", "api": "http://github.acme.example/api/v3"}, "https"),
        ({"url": "https://github.com/a/b", "api": "http://127.0.0.1.evil.example"}, "https"),
        ({"url": "https://github.com/a/b", "api": "https://user:x@api.github.com"}, "user"),
        ({"url": "https://github.com/a/b", "api": "https://api.github.com/?next="}, "query"),
        ({"url": "https://github.com/a/b", "api": "file:///etc"}, "api"),
        ({"url": "https://github.com/a/b", "api": "https://api.github.com/?"}, "query"),
        ({"url": "https://github.com/a/b", "api": "https://api.github.com/#"}, "fragment"),
        ({"url": "https://github.com/a/b", "api": "https://api.git\thub.com"}, "control"),
        ({"url": "https://github.com/a/b", "api": "https://api.github.com/\x00"}, "control"),
        ({"url": "https://github.com/a/b", "api": "https://api.github.com/a b"}, "spaces"),
        ({"url": "https://github.com/a/b", "api": "https://api.github.com:port/"}, "api"),
        ({"url": "https://github.com/a/b", "api": "https://api.github.com:99999/"}, "api"),
    ],
)
def test_what_is_no_forge_is_refused(given: dict, says: str | None) -> None:
    if says is None:
        # Its first label is github: the host that is configured, and no other, gets the token.
        assert forge_of_url(**given).api == "https://github.com.evil.example/api/v3"
        return
    with pytest.raises(ValueError, match=says):
        forge_of_url(**given)
