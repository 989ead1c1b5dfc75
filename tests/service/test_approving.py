"""Approvals by the command, the API and a token with a name; who is refused, and where they are seen."""

import getpass
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from infraaudit_assets.cli import app
from infraaudit_assets.commands import person
from infraaudit_assets.commands.service import build_service
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import InfraAuditError, NotAllowedError
from infraaudit_domain.projects import Project
from resources.history import History
from resources.history.decisions.approvals import approvals_of
from tests.conftest import Repository

PATH = "/api/v1/projects/shop/approvals"
BOB, ADA = {"Authorization": "Bearer of-bob"}, {"Authorization": "Bearer of-ada"}


@pytest.fixture
def sha(history: History, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    listed, sha = tmp_path / "projects.yaml", repository.write({"a": "1"}, "a commit")
    entry = f"  - name: shop\n    url: {repository.path}\n    environments: [{{name: production, approvals: 2}}]\n"
    listed.write_text(f"projects:\n{entry}")
    named = json.dumps({"bob": ["of-bob", "of-bob-too"], "ada": ["of-ada"]})
    values = {"HOME": tmp_path, "PROJECTS": listed, "DATABASE_URL": history.url, "SERVICE_NAMED_TOKENS": named,
              "SERVICE_WRITE_TOKENS": '["pen"]'}  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(f"INFRAAUDIT_{name}", str(value))
    settings.cache_clear()
    project = Project("shop", str(repository.path))
    mirror = settings().state.mirror("shop")
    from resources.git.mirror import Mirror

    Mirror(project.url, mirror).fetch()
    history.record_commit("shop", Mirror(project.url, mirror).commit(sha))
    yield sha
    settings.cache_clear()


@pytest.fixture
def client(sha: str) -> TestClient:
    return TestClient(build_service(settings()))


def body(sha: str, **other: str) -> dict[str, str]:
    return {"environment": "production", "commit": sha, "reason": "looked at it"} | other


def asked(*words: str) -> Result:
    return CliRunner().invoke(app, [words[0], "--project", "shop", *words[1:]])


def test_only_a_token_with_a_name_approves(client: TestClient, sha: str) -> None:
    for given in ({}, {"Authorization": "Basic YTpvZi1ib2I="}):
        assert client.post(PATH, headers=given, json=body(sha)).status_code == 401
    nameless = client.post(PATH, headers={"Authorization": "Bearer pen"}, json=body(sha))
    assert nameless.status_code == 403 and "'approve'" in nameless.json()["error"]
    done = client.post(PATH, headers=BOB, json=body(sha[:10]))
    assert done.status_code == 201
    assert done.json() == {
        "project": "shop", "environment": "production", "sha": sha, "approved_by": "bob", "approvals": 1, "needed": 2,
        "enough": False,
    }  # fmt: skip
    again = client.post(PATH, headers={"Authorization": "Bearer of-bob-too"}, json=body(sha))
    assert again.json()["approvals"] == 1, "nobody counts twice"
    rows = client.get(f"{PATH}?commit={sha}", headers=BOB).json()["items"]
    assert [(row["approved_by"], row["leave"], row["author"]) for row in rows] == [("bob", "approval", "Ada")] * 2


def test_its_author_and_what_is_wrong_are_refused_and_leave_nothing(
    client: TestClient, sha: str, history: History
) -> None:
    refused = client.post(PATH, headers=ADA, json=body(sha))
    assert refused.status_code == 403 and "its author" in refused.json()["error"]
    wrong: dict[int, list[object]] = {
        400: [body(sha, reason=" "), body("HEAD"), {"commit": sha}, body(sha) | {"more": "x"}, [], body("--all")],
        404: [body("f" * 40), body(sha, environment="elsewhere")],
    }
    for status, bodies in wrong.items():
        for one in bodies:
            assert client.post(PATH, headers=BOB, json=one).status_code == status, one
    assert client.post(PATH, headers=BOB, content=b"{").status_code == 400
    assert client.post(PATH, headers=BOB, content=b" " * 20_000).status_code == 413
    assert client.post(PATH.replace("shop", "bank"), headers=BOB, json=body(sha)).status_code == 404
    assert approvals_of(history, "shop", "production", sha) == []


def test_the_document_describes_it_and_the_page_shows_it(client: TestClient, sha: str) -> None:
    described = client.get("/api/v1/openapi.json", headers=BOB).json()["paths"]["/api/v1/projects/{project}/approvals"]
    assert set(described) == {"get", "post"} and "403" in described["post"]["responses"]
    client.post(PATH, headers=BOB, json=body(sha, reason="<b>it is fine</b>"))
    page = client.get(f"/projects/shop/commits/{sha}", headers=BOB).text
    assert "Who let it through" in page and "&lt;b&gt;it is fine" in page


def test_the_command_approves_as_the_user_of_the_machine(
    sha: str, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "somebody-else")
    monkeypatch.delenv("SUDO_USER", raising=False)
    given = asked("approve", "--commit", sha[:8], "--reason", "fine", "--json")
    done = json.loads(given.stdout)
    assert (done["approvals"], done["needed"], done["enough"]) == (1, 2, False)
    monkeypatch.delenv("LOGNAME")
    monkeypatch.delenv("USER", raising=False)
    assert done["approved_by"] == getpass.getuser()
    assert sha[:12] in asked("approvals").stdout or sha[:7] in asked("approvals").stdout
    assert "counts no longer" in asked("approve", "--commit", sha, "--take-back", "--reason", "saw a fault").stdout
    assert approvals_of(history, "shop", "production", sha) == []
    assert isinstance(asked("approve", "--commit", sha, "--reason", " ").exception, NotAllowedError)


def test_what_was_not_tested_is_not_deployed_by_hand(sha: str) -> None:
    done = asked("deploy", "--commit", sha)
    assert isinstance(done.exception, InfraAuditError) and "has no image" in str(done.exception)


def test_who_may_approve_is_what_the_projects_file_says_now(
    client: TestClient, sha: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = settings().projects
    listed.write_text(listed.read_text().replace("approvals: 2", "approvals: 1, approvers: [eve]"))
    refused = client.post(PATH, headers=BOB, json=body(sha))
    assert refused.status_code == 403 and "none of the approvers: eve" in refused.json()["error"]


@pytest.mark.parametrize(
    ("uids", "sudo_user", "name"),
    [
        ("         0          0 4294967295\n", "ada", "ada"),
        ("         0          0 4294967295\n", "", "root"),
        ("         0       1000          1\n", "ada", "somebody in a user namespace"),
        ("      1001       1000          1\n", "", "somebody in a user namespace"),
    ],
)
def test_nobody_becomes_another_in_a_user_namespace_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uids: str, sudo_user: str, name: str
) -> None:
    (tmp_path / "uid_map").write_text(uids)
    monkeypatch.setattr(person, "_UID_MAP", tmp_path / "uid_map")
    monkeypatch.setattr("os.getuid", lambda: 0)
    monkeypatch.setenv("SUDO_USER", sudo_user)
    assert person.person() == name
