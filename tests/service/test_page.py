"""The audit page: what it shows, what it refuses, and that no text of a commit is treated as markup."""

from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from infraaudit.scans.lifecycles import follow_deploy_branch
from infraaudit_domain.commits import Commit
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.delivery.test_runs import TestRun
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import FrameworkScan, Scan, ScanStatus
from resources.history import History
from service.app import ServiceOptions, build_app
from tests.infraaudit.scans.made_scans import PretendMirror
from tests.resources.databases import migrated_history
from tests.service.conftest import SHAS, B

PATHS = ["", "/findings", f"/findings/{B.fingerprint}", f"/commits/{SHAS[1]}", "/deployments", "/past/at"]
PATHS += ["/past/gate?gate={open: {low: 0}, new: {}}", "/past/exposed?check=CKV_A", "/past/back"]
VOID = {"meta", "link", "input", "br", "rect", "line", "path", "wbr", "polyline"}


class Markup(HTMLParser):
    """Fails on tags that do not nest; keeps what a page links to and the ids it has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.links += [value for name in ("href", "src") if (value := values.get(name)) is not None]
        self.ids += [values["id"]] if values.get("id") else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass


@pytest.mark.parametrize("path", PATHS)
def test_pages_are_well_formed_and_every_link_leads_somewhere(client: TestClient, path: str) -> None:
    page = client.get(f"/projects/shop{path}").text
    markup = Markup(page)
    assert len(markup.ids) == len(set(markup.ids))
    inner = {link for link in markup.links if link.startswith(("/", "?"))}
    assert inner
    for link in inner:
        target = link if link.startswith("/") else f"/projects/shop{path.partition('?')[0]}{link}"
        assert client.get(target).status_code == 200, link


@pytest.mark.parametrize("path", PATHS)
def test_what_a_commit_says_is_never_markup(client: TestClient, path: str) -> None:
    answer = client.get(f"/projects/shop{path}")
    assert answer.status_code == 200
    assert "&lt;script&gt;alert(1)" in answer.text
    assert "<script" not in answer.text and "\x1b" not in answer.text


def test_the_policy_allows_the_one_style_sheet_and_nothing_else(client: TestClient) -> None:
    import base64
    import hashlib
    import re

    answer = client.get("/projects/shop")
    policy = answer.headers["content-security-policy"]
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.S)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy and policy.startswith("default-src 'none'")
    assert "unsafe" not in policy and "script-src" not in policy
    assert not re.search(r"\sstyle=|\son\w+=|<script", answer.text)
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_overview_shows_what_is_live_and_every_commit(client: TestClient) -> None:
    page = client.get("/").text
    assert "Live in production" in page and "the newest commit" in page
    assert all(sha[:7] in page for sha in SHAS)
    assert "rolled back" in page and "scan failed" in page
    assert '<span class="sub">the pod said' in page
    assert page.count('<rect class="reach"') == 4
    assert '<span class="sev critical"><span>1 critical</span>' in page
    assert '2 <span class="small dim">of 3 healthy</span>' in page


def test_tests_that_gave_no_result_are_not_shown_as_none_failed(history: History, client: TestClient) -> None:
    history.record_test_run("shop", SHAS[0], TestRun((), 1.0, reason="no pytest in the image"))
    assert '<span class="bad">no result</span>' in client.get("/").text
    assert "<b>no result</b>" in client.get(f"/projects/shop/commits/{SHAS[0]}").text


def test_filters_stay_in_the_links_of_the_page(client: TestClient) -> None:
    found = client.get("/projects/shop/findings?severity=critical&q=main%2F&order=age").text
    links = Markup(found).links
    csv = next(link for link in links if "format=csv" in link)
    assert all(part in csv for part in ("severity=critical", "q=main%2F", "order=age"))
    assert "CKV_B" in found and "CKV_A" not in found
    assert 'value="main/"' in found and '<option value="critical" selected>' in found
    overview = client.get("/projects/shop?q=commit&outcome=deployed&window=all&days=7").text
    links = [link for link in Markup(overview).links if link.startswith("?")]
    assert any("window=250" in link and "q=commit" in link and "days=7" in link for link in links)


def test_findings_beside_the_branch_say_why_they_have_no_age(history: History, client: TestClient) -> None:
    sha, then = "9" * 40, datetime.now(UTC)
    history.record_commit("shop", Commit(sha, sha, (SHAS[0],), "Ada", "ada@example.org", then, then, "beside"))
    part = FrameworkScan("terraform", "key-9", ScanStatus.COMPLETE, (B,))
    history.record_scan("shop", Scan(sha, (part,), "3.3", "config", then, 2.0))
    pages = [client.get(f"/projects/shop/findings?commit={one}").text for one in (sha, SHAS[3])]
    assert ["CKV_B" in page for page in pages] == [True, True]
    assert ["is not on main" in page for page in pages] == [True, False]
    assert all("infraaudit suppressions --project shop" in page for page in pages)


def test_links_lead_to_the_run_in_dagster(history: History) -> None:
    app = build_app(history, ServiceOptions(["shop"], dagster_url="http://dagster.example.org/"))
    assert "http://dagster.example.org/runs/run-3" in Markup(TestClient(app).get("/projects/shop").text).links


def test_a_commit_page_shows_what_changed_what_failed_and_why(client: TestClient) -> None:
    page = client.get(f"/projects/shop/commits/{SHAS[1][:9]}").text
    assert all(word in page for word in ("fixed", "introduced", "rolled back", "1 failed"))
    crashed = client.get(f"/projects/shop/commits/{SHAS[2]}").text
    assert "the scan failed" in crashed and "Not known." in crashed


@pytest.mark.parametrize(
    ("path", "status", "shown"),
    [
        ("/projects/unknown", 404, "no such project"),
        ("/projects/shop/findings/nothing", 404, "32 hexadecimal digits"),
        (f"/projects/shop/findings/{'0' * 32}", 404, "ever had this finding"),
        ("/projects/shop/commits/HEAD", 400, "hexadecimal"),
        ("/projects/shop/commits/ffffffff", 404, "no such commit"),
        ("/projects/shop/findings?severity=' OR 1=1--", 400, "severity is one of"),
        ("/projects/shop/findings?framework=<b>", 400, "framework is at most 64"),
        ("/projects/shop/findings?q=%00", 400, "control character"),
        ("/projects/shop?window=1e99", 400, "window is one of"),
        ("/projects/shop?days=0", 400, "days is a whole number from 1 to 3650"),
        ("/projects/shop?offset=-1", 400, "offset is a whole number"),
        ("/projects/%3Cscript%3E", 404, "no such project"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_reported_on_a_page(client: TestClient, path: str, status: int, shown: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert shown in answer.text and "<script" not in answer.text
    Markup(answer.text)


def test_an_empty_history_teaches_what_to_run(tmp_path: Path) -> None:
    past = migrated_history(tmp_path)
    client = TestClient(build_app(past, ServiceOptions([])))
    assert "infraaudit projects add" in client.get("/").text
    past.record_project(Project("shop", "https://example.org/shop.git", deploy_branch="trunk"))
    overview = client.get("/").text
    assert "infraaudit run --project shop --commit trunk" in overview
    assert "infraaudit scan --project shop --all" in overview
    for path in ("/findings", "/deployments"):
        assert "infraaudit " in client.get(f"/projects/shop{path}").text
    past.record_project(Project("bank", "https://example.org/bank.git"))
    assert {"/projects/shop", "/projects/bank"} <= set(Markup(client.get("/").text).links)


def _recorded(folder: Path, scanned: int) -> TestClient:
    """A page over three commits of which the first ones are scanned, without findings, and the last is live."""
    past, shop = migrated_history(folder), Project("shop", "https://example.org/shop.git")
    past.record_project(shop)
    now = datetime.now(UTC)
    for place, sha in enumerate(SHAS[:3]):
        past.record_commit("shop", Commit(sha, sha, (), "Ada", "ada@example.org", now, now, "a commit"))
        if place < scanned:
            part = FrameworkScan("terraform", f"k{place}", ScanStatus.COMPLETE, ())
            past.record_scan("shop", Scan(sha, (part,), "3", "c", now, 1.0))
    follow_deploy_branch(past, PretendMirror(SHAS[:3]), shop)
    past.record_deployment(Deployment("shop", "production", SHAS[2], "container", Outcome.DEPLOYED, now, now))
    return TestClient(build_app(past, ServiceOptions(["shop"])))


def test_no_scan_is_not_shown_as_no_findings(tmp_path: Path) -> None:
    page = _recorded(tmp_path, 0).get("/projects/shop").text
    Markup(page)
    assert page.count("no scan yet") == 3 and "No commit has been scanned yet" in page
    assert "The live commit has not been scanned" in page and "No open finding is live here" not in page


def test_an_old_scan_is_not_shown_as_the_newest(tmp_path: Path) -> None:
    page = _recorded(tmp_path, 1).get("/projects/shop").text
    assert "New in 3 commits" in page and "2 of the commits are not scanned" in page
    assert "the 2 commits since are not scanned" in page and "The live commit has not been scanned" in page
    (tmp_path / "all").mkdir()
    page = _recorded(tmp_path / "all", 3).get("/projects/shop").text
    assert "not scanned" not in page and "No open finding is live here" in page


def test_a_commits_page_says_what_its_scan_read_and_which_files_it_did_not(client: TestClient) -> None:
    page = client.get(f"/projects/shop/commits/{SHAS[1]}").text
    section = page.partition('id="coverage"')[2].partition("</section>")[0]
    assert "1 file not read" in section and "other.tf" in section and "broken" in section


def test_all_projects_are_in_a_table_that_can_be_sorted(history: History, client: TestClient) -> None:
    history.record_project(Project("bank", "https://example.org/bank.git"))
    page = client.get("/").text
    assert page.index("/projects/shop") < page.index("/projects/bank"), "the worst first"
    assert (
        "no scan yet" in page and "no deployment yet" in page and "aria-sort" in page and '<svg class="spark"' in page
    )
    assert SHAS[3][:7] in page and f"/projects/shop/commits/{SHAS[1]}" in page, "what is live, and the last failure"
    by_name = client.get("/", params={"order": "name"}).text
    assert by_name.index("/projects/bank") < by_name.index("/projects/shop")
    assert client.get("/", params={"order": "nothing"}).status_code == 400
    Markup(page)


def test_a_project_whose_failing_tests_nobody_hears_of_says_so(client: TestClient, history: History) -> None:
    assert "Nobody would be notified of a failing test of shop" in client.get("/projects/shop").text
    history.record_project(Project("bank", "https://example.org/bank.git"))
    assert "Nobody would be notified" not in client.get("/projects/bank").text


def test_open_requests_stand_on_the_page_of_their_project_and_their_titles_are_text(client: TestClient) -> None:
    page = client.get("/projects/shop").text
    assert "Open requests" in page and "from a fork" in page and ">waits<" in page
    assert "title &lt;script&gt;" in page and "<script>alert" not in page
