"""The rules of a box's network. That they hold is in tests/hostile/test_build_egress.py, on a real one."""

import shutil
import subprocess
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from infraaudit_domain.delivery.builds import Egress, host_and_port
from infraaudit_domain.errors import EngineError
from resources.engine.box import firewall
from resources.targets.cluster import server_hosts


@pytest.mark.parametrize("egress", [Egress.PUBLIC, Egress.NONE, [("192.0.2.9", 443), ("192.0.2.9", 443)], []])
def test_nftables_takes_the_rules(egress: "Egress | list[tuple[str, int]]") -> None:
    nft = shutil.which("nft", path="/usr/sbin:/usr/bin:/sbin")
    if nft is None:
        pytest.skip("nft is not installed")
    text = firewall.rules(egress, [*firewall.addresses_of_host(), *firewall.networks_of_host()])
    words = ["unshare", "--user", "--map-root-user", "--net", nft, "--check", "--file", "-"]
    done = subprocess.run(words, input=text, text=True, capture_output=True)
    if "unshare failed" in done.stderr:
        pytest.skip("no user namespaces here")
    assert done.returncode == 0, done.stderr


def test_only_public_egress_opens_more_than_a_list() -> None:
    assert "!= @closed accept" in firewall.rules(Egress.PUBLIC)
    assert "!= @closed accept" not in firewall.rules(Egress.NONE)
    listed = firewall.rules([("192.0.2.9", 443)])
    assert "192.0.2.9 . 443" in listed and "!= @closed accept" not in listed
    assert "dport 53" not in listed + firewall.rules(Egress.NONE), "a query for a name is a way out, too"


def test_the_hosts_own_addresses_are_closed() -> None:
    closed = firewall.addresses_of_host(["localhost", "nowhere.invalid"])
    assert "127.0.0.1" in closed
    assert all(IPv4Network(network).prefixlen for network in firewall.networks_of_host())
    assert "192.0.2.77" in firewall.rules(Egress.PUBLIC, ["192.0.2.77"])


def test_an_allow_list_is_resolved_at_once() -> None:
    assert firewall.resolve(["localhost:80", "localhost:81"]) == {"localhost": [("127.0.0.1", 80), ("127.0.0.1", 81)]}
    with pytest.raises(EngineError, match=r"nowhere\.invalid, which does not resolve"):
        firewall.resolve(["nowhere.invalid:443"])


@pytest.mark.parametrize(
    "text", ["", "host", "host:", ":80", "host:0", "host:65536", "a b:80", "http://host:80", "[::1]:80"]
)
def test_what_is_no_host_and_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not host:port"):
        host_and_port(text)


def test_the_hosts_of_clusters_are_read_from_the_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    config = tmp_path / "config"
    config.write_text(
        "clusters: [{cluster: {server: 'https://api.example.org:6443'}}, {cluster: {server: 'https://10.0.0.1'}}]"
    )
    assert server_hosts(config) == ["10.0.0.1", "api.example.org"]
    config.write_text("clusters: [1]")
    assert server_hosts(config) == []
    assert server_hosts(tmp_path / "none") == []
