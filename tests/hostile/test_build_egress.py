"""What a build may reach: nothing of the host, its neighbours and the cluster, and no more than build_egress permits."""

import urllib.request
from ipaddress import IPv4Network

import pytest

from infraaudit_domain.delivery.builds import Egress
from resources.engine import Engine
from resources.engine.box.building import BoxedBuild
from resources.engine.box.firewall import addresses_of_host, networks_of_host
from resources.targets.cluster import server_hosts
from tests.conftest import require
from tests.hostile.boxes import BoxedProject, boxed, refused
from tests.hostile.listeners import listening, redirecting
from tests.resources.engines import BASE

pytestmark = pytest.mark.e2e
PUBLIC = "http://deb.debian.org/debian/dists/bookworm/Release"


def fetch(address: str) -> str:
    """A RUN that connects to an address, and fails where it cannot."""
    host, port = address.rsplit(":", 1)
    return f"RUN python3 -c \"import socket; socket.create_connection(('{host}', {port}), 5)\""


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


def _own_address() -> str:
    return next(found for found in addresses_of_host() if not found.startswith(("127.", "172.17.")))


def _bridge(engine: Engine) -> str:
    done = engine.run("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
    return done.text.strip() or "172.17.0.1"


__all__ = ["boxed"]
