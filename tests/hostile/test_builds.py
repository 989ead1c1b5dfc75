"""What a Dockerfile may try: the host's secrets, files, network and resources, and other projects' images and caches."""

import os
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from infraaudit_domain.delivery.builds import Egress
from infraaudit_domain.errors import BuildFailedError
from resources.engine import Engine
from resources.engine.box.building import BoxedBuild
from resources.engine.box.firewall import addresses_of_host, networks_of_host
from resources.targets.cluster import server_hosts
from tests.conftest import require
from tests.hostile.boxes import BoxedProject, boxed
from tests.resources.engines import BASE

pytestmark = pytest.mark.e2e
PUBLIC = "http://deb.debian.org/debian/dists/bookworm/Release"
CANARY = "canary-8f31c5"


class Listener:
    """A listener that notes who came."""

    def __init__(self, host: str) -> None:
        self._server = socket.create_server((host, 0))
        self.address = f"{host}:{self._server.getsockname()[1]}"
        self.visits = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.visits += 1
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            connection.close()

    def close(self) -> None:
        self._server.close()


@contextmanager
def listening(host: str) -> Iterator[Listener]:
    listener = Listener(host)
    try:
        yield listener
    finally:
        listener.close()


def refused(project: BoxedProject, dockerfile: str, seconds: float = 120) -> str:
    """The words of a build that has to fail."""
    with pytest.raises(BuildFailedError) as caught:
        project.build(dockerfile, seconds)
    return str(caught.value)


def fetch(address: str) -> str:
    """A RUN that connects to an address, and fails where it cannot."""
    host, port = address.rsplit(":", 1)
    return f"RUN python3 -c \"import socket; socket.create_connection(('{host}', {port}), 5)\""


def test_an_ordinary_build_arrives_in_the_hosts_engine_with_our_labels(boxed: BoxedProject) -> None:
    image = boxed.build("LABEL infraaudit.project=other infraaudit.owner=me kept=yes\nCOPY a /a\nRUN cat /a", a="1")
    facts = boxed.engine.find_image(image.reference)
    assert facts is not None and facts.image_id == image.image_id
    assert (facts.labels["infraaudit.project"], facts.labels["kept"]) == (boxed.name, "yes")
    assert "infraaudit.owner" not in facts.labels
    done = boxed.engine.run("run", "--rm", "--network=none", image.image_id, "cat", "/a")
    assert done.text == "1"


def test_neither_the_environment_nor_the_files_of_the_host_are_in_a_box(
    boxed: BoxedProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", CANARY)
    (tmp_path / "file").write_text(CANARY)
    boxed.build(
        "RUN env; cat /proc/*/environ | tr '\\\\0' '\\\\n'; cat /proc/self/uid_map /proc/self/mountinfo; "
        f"cat {tmp_path}/file /etc/shadow; ls -la /; id"
    )
    log = "\n".join(boxed.log)
    assert CANARY not in log
    assert "uid=0(root)" in log
    assert " 4294967295" not in log, "a map of all ids is the host's own user namespace"


def test_a_mount_of_the_host_is_no_part_of_the_language(boxed: BoxedProject, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(CANARY)
    words = refused(boxed, f"RUN --mount=type=bind,source={tmp_path},target=/host cat /host/file")
    assert "does not build" in words and CANARY not in words
    assert "does not build" in refused(boxed, "RUN --security=insecure mount -t proc proc /mnt")
    for link in ("/etc/passwd", str(tmp_path / "file")):
        boxed.folder.mkdir(exist_ok=True)
        assert "does not build" in refused(boxed, f"COPY {link} /stolen")


@pytest.mark.parametrize("how", ["run", "add"])
@pytest.mark.parametrize("where", ["loopback", "host", "engine-bridge"])
def test_no_listener_of_the_host_is_reached(boxed: BoxedProject, where: str, how: str) -> None:
    host = {"loopback": "127.0.0.1", "host": _own_address(), "engine-bridge": _bridge(boxed.engine)}[where]
    with listening(host) as listener:
        dockerfile = fetch(listener.address) if how == "run" else f"ADD http://{listener.address}/x /x"
        words = refused(boxed, dockerfile)
        assert listener.visits == 0
    if (where, how) != ("loopback", "run"):
        assert f"It asked for {listener.address}, which build_egress (public) does not permit" in words


@pytest.mark.parametrize(
    "address", ["10.0.2.2:22", "169.254.169.254:80", "192.168.1.1:80", "[::1]:80", "100.64.0.1:80"]
)
def test_no_address_that_is_not_public_is_reached(boxed: BoxedProject, address: str) -> None:
    words = refused(boxed, f"ADD http://{address}/x /x")
    if "[" not in address:
        assert f"It asked for {address}, which build_egress (public) does not permit" in words


def test_the_neighbours_of_the_host_are_not_reached(boxed: BoxedProject) -> None:
    for network in networks_of_host()[:2]:
        neighbour = str(IPv4Network(network)[9])
        words = refused(boxed, f"ADD http://{neighbour}:81/x /x")
        assert f"It asked for {neighbour}:81, which build_egress (public) does not permit" in words


def test_what_is_public_is_reached(boxed: BoxedProject) -> None:
    try:
        urllib.request.urlopen(PUBLIC, timeout=10).close()
    except OSError:
        pytest.skip("this machine has no access to public addresses")
    boxed.build(f"ADD {PUBLIC} /x\nRUN python3 -c \"import urllib.request as r; r.urlopen('{PUBLIC}').read()\"")


def test_the_cluster_is_not_reached(boxed: BoxedProject) -> None:
    require("kubernetes")
    closed = addresses_of_host(server_hosts(None))
    assert closed
    for address in closed[:3]:
        assert "does not permit" in refused(boxed, f"ADD http://{address}:10250/x /x")
    assert "does not permit" in refused(boxed, fetch("10.96.0.1:443"))


def test_asking_what_a_reference_means_reaches_no_listener_of_the_host(boxed: BoxedProject) -> None:
    """Equal inputs are built once, so a registry is asked what a FROM means: by the box, where the commit names it."""
    box = BoxedBuild(boxed.folder / "box", boxed.rules)
    for host in ("127.0.0.1", _own_address()):
        with listening(host) as listener:
            assert box.identify(boxed.name, f"{listener.address}/app:1") is None
            assert listener.visits == 0
    assert box.brings_in(BASE, {"BASE_IMAGE": BASE}) and not box.brings_in(BASE, {})


def test_a_redirect_to_the_host_is_not_followed_there(boxed: BoxedProject) -> None:
    """The permitted server is one of an allow-list; what it redirects to is not."""
    with listening(_own_address()) as target, redirecting(_own_address(), target.address) as source:
        project = boxed.with_rules(egress=(source,))
        words = refused(project, f"ADD http://{source}/x /x")
        assert target.visits == 0
        assert f"It asked for {target.address}, which build_egress ({source}) does not permit" in words


def test_an_allow_list_opens_what_it_names(boxed: BoxedProject) -> None:
    with listening(_own_address()) as permitted, listening(_own_address()) as other:
        project = boxed.with_rules(egress=(permitted.address,))
        project.build(f"ADD http://{permitted.address}/x /x\n{fetch(permitted.address)}")
        assert permitted.visits == 2
        refused(project, fetch(other.address))
        assert other.visits == 0


def test_without_egress_nothing_is_reached(boxed: BoxedProject) -> None:
    project = boxed.with_rules(egress=Egress.NONE)
    assert "does not build" in refused(project, fetch("1.1.1.1:443"))
    assert "It asked for 1.1.1.1:80" in refused(project, "ADD http://1.1.1.1/x /x")
    project.build("RUN true")


def test_another_projects_image_is_not_there(boxed: BoxedProject, engine: Engine) -> None:
    other = f"infraaudit/{boxed.name}-other:1"
    engine.tag(BASE, other)
    try:
        words = refused(boxed, f"COPY --from={other} /etc/passwd /stolen")
    finally:
        engine.remove_image(other)
    assert "An image it starts from cannot be pulled here" in words and "base_images" in words


def test_another_projects_cache_is_not_there(boxed: BoxedProject, tmp_path: Path) -> None:
    mount = "--mount=type=cache,id=shared,target=/cache"
    boxed.build(f"RUN {mount} echo {CANARY} > /cache/poison")
    boxed.build(f"RUN {mount} grep {CANARY} /cache/poison")
    other = BoxedProject(boxed.engine, tmp_path, f"{boxed.name}-b")
    try:
        other.build(f"RUN {mount} ls -A /cache; test ! -e /cache/poison")
    finally:
        other.close()


def test_a_fork_bomb_ends_at_the_limit(boxed: BoxedProject) -> None:
    before = len(os.listdir("/proc"))
    words = refused(boxed, "RUN for i in $(seq 1500); do sleep 60 & done; wait", 60)
    assert "It started more than 600 processes" in words
    assert len(os.listdir("/proc")) < before + 300
    boxed.build("RUN echo fine")


def test_memory_ends_at_the_limit(boxed: BoxedProject) -> None:
    words = refused(boxed, "RUN python3 -c 'x = bytearray(b\"1\") * (2 << 30); print(len(x))'")
    assert "It used more than 1024 MB of memory" in words
    boxed.build("RUN echo fine")


def test_the_disk_ends_at_the_limit(boxed: BoxedProject, tmp_path: Path) -> None:
    free = os.statvfs(tmp_path)
    words = refused(boxed, "RUN head -c 2G /dev/zero > /big")
    assert "a file of more than 256 MB" in words
    words = refused(boxed, "RUN for i in 1 2 3 4 5 6 7 8; do head -c 250M /dev/zero > /big$i || exit 1; done")
    assert "It wrote more than 1024 MB" in words
    after = os.statvfs(tmp_path)
    assert (free.f_bavail - after.f_bavail) * free.f_frsize < 1200 << 20
    boxed.build("RUN echo fine")


def test_an_endless_log_is_cut(boxed: BoxedProject) -> None:
    project = boxed.with_rules(limits=replace(boxed.rules.limits, log_lines=300))
    project.build("RUN seq 100000")
    assert len(project.log) < 400
    assert any("further lines of the log are not kept" in line for line in project.log)


def test_a_build_without_end_is_stopped(boxed: BoxedProject) -> None:
    started = time.monotonic()
    words = refused(boxed, "RUN sleep 1000", 5)
    assert "had no end after 5 s" in words and time.monotonic() - started < 30


def test_a_secret_is_handed_in_only_where_the_configuration_names_it(boxed: BoxedProject, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("given")
    mount = "--mount=type=secret,id=one,required=true"
    assert "does not build" in refused(boxed, f"RUN {mount} cat /run/secrets/one")
    project = boxed.with_rules(secrets={"one": str(tmp_path / "secret")})
    project.build(f'RUN {mount} test "$(cat /run/secrets/one)" = given')


def test_a_box_dies_with_its_keeper_and_comes_back(boxed: BoxedProject) -> None:
    boxed.build("RUN echo before")
    keeper = int((boxed.folder / "box" / "keeper").read_text())
    os.kill(keeper, 9)
    end = time.monotonic() + 10
    while _in_box(boxed) and time.monotonic() < end:
        time.sleep(0.1)
    assert _in_box(boxed) == []
    boxed.build("RUN echo before")


@pytest.mark.parametrize("volume", ["/reports/junit.xml", "/reports/junit.xml/", "/proc/sys", "/", "/a b", "/a/../b"])
def test_a_volume_that_tests_cannot_run_with_is_a_refused_image(boxed: BoxedProject, volume: str) -> None:
    words = refused(boxed, f'VOLUME ["{volume}"]')
    assert "is refused: it declares" in words


def _in_box(project: BoxedProject) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            group = (process / "cgroup").read_text()
        except OSError:
            continue
        if project.box_group in group:
            found.append(process.name)
    return found


def _own_address() -> str:
    return next(found for found in addresses_of_host() if not found.startswith(("127.", "172.17.")))


def _bridge(engine: Engine) -> str:
    done = engine.run("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
    return done.text.strip() or "172.17.0.1"


@contextmanager
def redirecting(host: str, target: str) -> Iterator[str]:
    """A server that sends everybody to another address; yields its own."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", f"http://{target}/x")
            self.end_headers()

        do_HEAD = do_GET

    server = HTTPServer((host, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


__all__ = ["boxed"]
