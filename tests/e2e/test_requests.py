"""A whole installation, a real Git repository, and a forge: a request is pending at once and judged before it is merged;
a fork's waits for a member; nothing of either becomes part of the line."""

import hashlib
import hmac
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from infraaudit_domain.reporting.forge_address import ForgeKind
from resources.history import History, open_history
from resources.history.forge.change_requests import request_rows
from resources.history.forge.statuses import newest_statuses
from tests.conftest import Repository
from tests.distribution import PATIENCE
from tests.e2e.installation import BIN, SECRET, Installation, bare_repository
from tests.e2e.test_scan_gate import IN_PUBLIC
from tests.e2e.waiting import eventually
from tests.forges.stand_in import REPOSITORY, TOKEN, StandIn, running
from tests.infraaudit_domain.forge.request_events import event

pytestmark = pytest.mark.e2e
_DEFINITIONS = "infraaudit_assets.definitions"


class _Whole(Installation):
    """An installation with the real assets."""

    def command(self, role: str) -> list[str]:
        return [word.replace("tests.e2e.small_project", _DEFINITIONS) for word in super().command(role)]


def _tell(installation: Installation, forge: StandIn, number: int, head: str, source: str = "group/shop") -> None:
    """Report a request as GitHub does."""
    forge.shas.add(head)
    body = json.dumps(event("github", number=number, head=head, source=source)).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Event": "pull_request", "X-Hub-Signature-256": f"sha256={signature}"}
    url = f"http://127.0.0.1:{installation.ports['service']}/webhooks/shop"
    answer = httpx.post(url, content=body, headers=headers)
    assert answer.status_code == 202, answer.text


def _row(history: History, number: int) -> dict[str, Any]:
    return next(row for row in request_rows(history, "shop") if row["number"] == number)


def _is_scanned(history: History, sha: str) -> bool:
    return history.scan("shop", sha) is not None


def _beside_main(work: Repository, text: str, ref: str) -> str:
    """A commit that is pushed to a ref, and that main does not have."""
    work.git("switch", "--quiet", "--detach", "origin/main")
    sha = work.write({"main.tf": text}, "a change")
    work.git("push", "--quiet", "origin", f"{sha}:{ref}")
    return sha


def test_a_request_is_judged_before_it_is_merged_and_a_forks_waits(tmp_path: Path) -> None:
    work, bare = bare_repository(tmp_path, "shop")
    first = work.write({"main.tf": "# nothing yet\n"}, "first")
    work.git("push", "--quiet", "origin", "main")
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    with running(ForgeKind.GITHUB, [first]) as forge:
        given = {"kind": "github", "api": forge.forge.api, "repository": REPOSITORY, "requests": True, "comments": True}
        project = {"name": "shop", "url": str(bare), "forge": given | {"token_file": str(tmp_path / "token")}}
        with _Whole(tmp_path / "home", [project | {"audit_only": True, "default": True}]) as installation:
            installation.wait_until_up()
            history = open_history(f"sqlite:///{installation.home}/history.db")
            eventually(lambda: _is_scanned(history, first), 180, "main is scanned")
            latest = installation.home / "reports/latest_scan.json"
            eventually(latest.exists, 60, "its report is written")
            shown = latest.read_text()

            head = _beside_main(work, IN_PUBLIC, "refs/heads/topic")
            began = time.monotonic()
            _tell(installation, forge, 7, head)
            eventually(lambda: forge.shown(head) == {"infraaudit/shop/scan": "pending"}, 30, "pending", between=0.05)
            assert time.monotonic() - began < 3 * PATIENCE
            eventually(lambda: forge.shown(head).get("infraaudit/shop/request") == "failure", 180, "it is judged")
            row = _row(history, 7)
            assert (row["verdict"], row["base"], row["fixed"]) == ("fails", first, 0) and row["new"] > 0
            eventually(lambda: forge.board.texts(7), 30, "its comment is written")
            (comment,) = forge.board.texts(7)
            assert "**Would be stopped.**" in comment and head[:12] in comment and "main.tf:" in comment

            stranger = _beside_main(work, "# harmless\n", "refs/pull/8/head")
            _tell(installation, forge, 8, stranger, "stranger/shop")
            eventually(lambda: forge.shown(stranger) == {"infraaudit/shop/scan": "pending"}, 30, "it waits")
            time.sleep(5)
            assert _row(history, 8)["verdict"] == "waits" and not _is_scanned(history, stranger)
            words = ["forge", "allow", "--project", "shop", "--request", "8", "--commit", stranger]
            subprocess.run([BIN / "infraaudit", *words], env=installation.environment, check=True, capture_output=True)
            eventually(lambda: forge.shown(stranger).get("infraaudit/shop/request") == "success", 180, "it is judged")
            eventually(lambda: forge.board.texts(8), 30, "its comment is written")
            assert "**Would be let in.**" in forge.board.texts(8)[0] and len(forge.board.texts(7)) == 1

            assert latest.read_text() == shown, "it is still main's"
            assert {row["sha"] for row in newest_statuses(history, "shop", 99)} >= {head, stranger}
            assert _branches(installation) == {"main", "topic"}


def _branches(installation: Installation) -> set[str]:
    """The branches of the mirror, and whatever other refs it may have."""
    (mirror,) = {path.parent for path in installation.home.rglob("HEAD") if (path.parent / "objects").is_dir()}
    words = ["git", "-C", str(mirror), "for-each-ref", "--format=%(refname)"]
    refs = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    return {ref.removeprefix("refs/heads/") for ref in refs}
