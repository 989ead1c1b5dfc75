import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from infraauditai.service import MAX_BODY, Service

VOLUME = b'resource "aws_ebs_volume" "data" {\n  size = 8\n}\n'


@pytest.fixture()
def url() -> Iterator[str]:
    service = Service(("127.0.0.1", 0))
    thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{service.server_address[1]}"
    service.shutdown()
    thread.join()
    service.server_close()


def call(url: str, body: bytes | None = None) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_an_upload_is_audited(url: str) -> None:
    status, text = call(f"{url}/audit", VOLUME)
    assert status == 200
    (finding,) = json.loads(text)["findings"]
    assert (finding["rule"], finding["resource"]) == ("TF_UNENCRYPTED_VOLUME", "aws_ebs_volume.data")


@pytest.mark.parametrize(("body", "status"), [(b"\xff\xfe", 422), (b"words", 422), (b"x" * (MAX_BODY + 1), 413)])
def test_bad_uploads_are_refused(url: str, body: bytes, status: int) -> None:
    try:
        assert call(f"{url}/audit", body)[0] == status
    except urllib.error.URLError:
        assert status == 413, "only an upload that is too long may be cut off"


def test_it_is_healthy_and_ready(url: str) -> None:
    assert call(f"{url}/healthz")[0] == 200
    assert call(f"{url}/readyz")[0] == 200


def test_metrics_start_at_zero_and_count(url: str) -> None:
    assert 'infraauditai_findings_total{severity="medium"} 0' in call(f"{url}/metrics")[1]
    call(f"{url}/audit", VOLUME)
    counted = call(f"{url}/metrics")[1]
    assert 'infraauditai_findings_total{severity="medium"} 1' in counted
    assert 'infraauditai_audits_total{result="done"} 1' in counted


def test_unknown_paths(url: str) -> None:
    assert call(f"{url}/nothing")[0] == 404
    assert call(f"{url}/nothing", b"x")[0] == 404
