"""The audit page in a real Chromium, and the trend API under schemathesis' invented requests."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.applications import Starlette

from infraaudit.pages.audit import audit_file
from resources.history import History
from service.app import ServiceOptions, build_app
from tests.e2e.browser import Page, browser
from tests.service.conftest import HOSTILE, SHAS, START, B, history

__all__ = ["history"]
pytestmark = pytest.mark.e2e
SIZES = [(1280, 900), (390, 844)]
PATHS = ["", "/findings", f"/findings/{B.fingerprint}", f"/commits/{SHAS[3]}", "/deployments", "/nothing"]


@pytest.fixture
def app(history: History) -> Starlette:
    return build_app(history, ServiceOptions(["shop"], dagster_url="http://127.0.0.1:9"))


@pytest.fixture
def service(app: Starlette) -> Iterator[str]:
    """The service on a port of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(20)


@pytest.fixture(scope="module")
def page(needs: Callable[[str], None]) -> Iterator[Page]:
    needs("chromium")
    with browser() as opened:
        yield opened


CONTRASTS = """(() => {
  const number = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => { const [r, g, b] = number(c).slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b };
  const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (number(c).length < 4 || number(c)[3] === 1) return c } return "rgb(255,255,255)" };
  const poor = [];
  for (const e of document.querySelectorAll("main *, header *")) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || e.closest("svg") || !e.offsetParent) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) poor.push(e.tagName + " " + e.className + " " + e.textContent.trim().slice(0, 30));
  }
  return poor })()"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "height"), SIZES, ids=["desk", "phone"])
def test_every_page_fits_reads_well_and_runs_nothing(
    page: Page, service: str, width: int, height: int, dark: bool
) -> None:
    for path in PATHS:
        page.complaints.clear()
        page.open(f"{service}/projects/shop{path}", dark, width, height)
        assert page.ask("document.documentElement.scrollWidth <= innerWidth"), path
        assert page.ask(CONTRASTS) == [], path
        assert page.ask("document.querySelectorAll('script').length") == 0
        assert [reported for reported in page.complaints if "404" not in reported] == [], path
        ground = page.ask("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(15, 20, 27)") == dark


def test_what_a_commit_says_is_shown_as_it_is(page: Page, service: str) -> None:
    page.open(f"{service}/projects/shop/findings")
    shown = page.ask("document.querySelector('main').innerText")
    assert HOSTILE.partition("\x1b")[0] in shown and "\x1b" not in shown


def test_it_is_used_with_the_keyboard_alone(page: Page, service: str) -> None:
    page.open(f"{service}/projects/shop")
    page.press("Tab")
    assert page.ask("document.activeElement.className") == "skip"
    page.press("Enter")
    page.wait_for("location.hash === '#content'")
    stops = []
    for _ in range(30):
        page.press("Tab")
        stops.append(page.ask("document.activeElement.closest('svg') ? 'svg' : document.activeElement.tagName"))
        assert page.ask("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert "svg" not in stops and {"A", "DIV"} <= set(stops)
    page.ask("document.querySelector('input[type=search]').focus()")
    page.call("Input.insertText", text="no such commit")
    page.press("Enter")
    page.wait_for("location.search.includes('q=no+such+commit') && document.readyState === 'complete'")
    assert "No commit matches." in page.ask("document.querySelector('main').innerText")


def test_a_filter_is_chosen_and_kept_in_the_address(page: Page, service: str) -> None:
    page.open(f"{service}/projects/shop/findings")
    page.ask(
        "document.querySelector('select[name=severity]').value = 'critical'; document.querySelector('form').submit()"
    )
    page.wait_for("location.search.includes('severity=critical') && document.readyState === 'complete'")
    assert page.ask("document.querySelectorAll('tbody tr').length") == 1
    assert page.ask("document.querySelector('select[name=severity]').value") == "critical"
    page.ask("[...document.querySelectorAll('a')].find(a => a.textContent === 'Clear').click()")
    page.wait_for("!location.search.includes('severity') && document.readyState === 'complete'")
    assert page.ask("document.querySelectorAll('tbody tr').length") == 2


def test_the_file_needs_nothing_beside_it(page: Page, history: History, tmp_path: Path) -> None:
    written = tmp_path / "audit.html"
    written.write_text(audit_file(history, "shop", SHAS[3], START))
    page.complaints.clear()
    page.open(written.as_uri())
    assert page.complaints == []
    assert page.ask("performance.getEntriesByType('resource').length") == 0
    links = page.ask("[...document.querySelectorAll('main a, nav a')].map(a => a.getAttribute('href'))")
    assert links and all(link.startswith("#") for link in links)
    assert page.ask("[...document.querySelectorAll('a')].every(a => document.querySelector(a.getAttribute('href')))")
    assert "Live in production" in page.ask("document.body.innerText")


@pytest.fixture
def document(app: Starlette) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)


api = schemathesis.pytest.from_fixture("document")
NEED_MORE = (
    *("at", "at/findings", "at/suppressions", "at/gaps"),
    *("gate/replay", "exposed", "exposed/commits"),
)
"""Questions that refuse what their schema cannot tell: a day that is none, a policy that is none, and no check at all."""


@api.parametrize()
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_no_invented_request_finds_a_fault(case: schemathesis.Case) -> None:
    may_be_refused = [positive_data_acceptance] if case.path.rpartition("{project}/")[2] in NEED_MORE else []
    case.call_and_validate(excluded_checks=may_be_refused)
    if "project" in case.path_parameters and "fingerprint" not in case.path_parameters:
        case.path_parameters["project"] = "shop"
        case.call_and_validate(excluded_checks=may_be_refused)
