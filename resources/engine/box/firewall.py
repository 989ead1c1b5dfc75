"""What a box reaches: rules for nftables, at the layer of addresses, so that names, redirects and ADD change nothing.

Whatever is refused is noted in a set, which says afterwards what the build asked for. Deliberately absent: IPv6, which
a box has not, and limits on how much is sent.
"""

import re
import socket
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from infraaudit_domain.delivery.builds import Egress, host_and_port
from infraaudit_domain.errors import EngineError

RESOLVER = "10.0.2.3"
"""slirp4netns answers for the host's resolver there."""
BRIDGE = "10.0.3.1/24"
BRIDGES = "10.0.4.0/22"
# https://www.iana.org/assignments/iana-ipv4-special-registry, with multicast and what is reserved. Not its networks for
# documentation: nobody has them, but for closed sites whose mirrors of registries are there.
_NOT_PUBLIC = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
]
_LARGEST = 8
_LOCAL = re.compile(r"\|-- ([\d.]+)\n\s+/32 host LOCAL")

_RULES = """
table inet infraaudit
delete table inet infraaudit
table inet infraaudit {{
  set asked {{ type ipv4_addr . inet_service; flags dynamic; size 64; }}
  set closed {{ type ipv4_addr; flags interval; auto-merge; elements = {{ {closed} }} }}
  set open {{ type ipv4_addr . inet_service; {open} }}
  chain judge {{
    ct state established,related accept
{permitted}
    meta l4proto {{ tcp, udp }} add @asked {{ ip daddr . th dport }}
    meta l4proto tcp reject with tcp reset
    reject with icmpx admin-prohibited
  }}
  chain output {{ type filter hook output priority -50; jump judge; }}
  chain forward {{ type filter hook forward priority -50; jump judge; }}
}}
"""
_RESOLVE = f"    ip daddr {RESOLVER} meta l4proto {{ tcp, udp }} th dport 53 accept"
_PUBLIC = "    ip daddr != @closed accept"
_LISTED = "    meta l4proto tcp ip daddr . tcp dport @open accept"


def rules(egress: Egress | Sequence[tuple[str, int]], closed: Iterable[str] = ()) -> str:
    """The whole rule set: for a list, the addresses and ports that are open; ``closed`` are never public."""
    public = egress is Egress.PUBLIC
    listed = [] if isinstance(egress, Egress) else list(egress)
    permitted = [_RESOLVE, _PUBLIC] if public else [_LISTED] if listed else []
    open_ones = ", ".join(f"{address} . {port}" for address, port in sorted(set(listed)))
    return _RULES.format(
        closed=", ".join([*_NOT_PUBLIC, *sorted(set(closed))]),
        open=f"elements = {{ {open_ones} }}" if open_ones else "",
        permitted="\n".join(permitted),
    )


def resolve(allowed: Iterable[str]) -> dict[str, list[tuple[str, int]]]:
    """The IPv4 addresses and ports that the names of an allow-list mean now, by name. Raises EngineError."""
    found: dict[str, list[tuple[str, int]]] = {}
    for entry in allowed:
        host, port = host_and_port(entry)
        try:
            answers = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)
        except OSError as error:
            raise EngineError(f"build_egress names {host}, which does not resolve ({error}).") from error
        found.setdefault(host, []).extend((str(answer[4][0]), port) for answer in answers)
    return found


def networks_of_host() -> list[str]:
    """The IPv4 networks that this machine is in: its neighbours and its gateway are not the public."""
    rows = [line.split() for line in Path("/proc/net/route").read_text().splitlines()[1:]]
    found = {_network(row[1], row[7]) for row in rows if row[2] == "00000000"}
    # A network of half the world is a tunnel's default route.
    return sorted(str(network) for network in found if network.prefixlen >= _LARGEST)


def _network(address: str, mask: str) -> IPv4Network:
    """Of the kernel's hexadecimal numbers, whose bytes are in the machine's order."""
    numbers = (int(text, 16).to_bytes(4, sys.byteorder) for text in (address, mask))
    return IPv4Network("/".join(str(IPv4Address(number)) for number in numbers))


def addresses_of_host(others: Iterable[str] = ()) -> list[str]:
    """The IPv4 addresses of this machine's interfaces, and those of other hosts, by name or address."""
    with suppress(OSError):
        found = set(_LOCAL.findall(Path("/proc/net/fib_trie").read_text()))
        for host in others:
            with suppress(OSError):
                found |= {str(answer[4][0]) for answer in socket.getaddrinfo(host, None, socket.AF_INET)}
        return sorted(found, key=IPv4Address)
    raise EngineError("The addresses of this machine cannot be read from /proc/net/fib_trie, so none can be closed.")
