"""What runs in a box: its first process, which reaps, and a server that answers the keeper of builds.

The server starts the box's engine, with every address closed, and answers one line of JSON with another on a socket in
a folder that only InfraAudit and the box reach. Everything is imported before the box is entered, because its root
folder does not have our code. Deliberately absent: any right of the host; this is root among nobody's ids.
"""

import json
import os
import socketserver
import subprocess
from pathlib import Path
from typing import Any

from resources.engine.box import disk, firewall, kernel, layers

CONTROL, ENGINE = "control", "docker.sock"
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TMPDIR": "/tmp",
}
_LOG = "/run/dockerd.log"
_NFT_SECONDS = 10.0
_SERVER = [
    "dockerd",
    "--rootless",
    "--data-root=/data/docker",
    "--exec-root=/run/docker",
    "--pidfile=/run/docker.pid",
    f"--host=unix:///sockets/{ENGINE}",
    "--storage-driver=overlay2",
    "--userland-proxy=false",
    f"--bip={firewall.BRIDGE}",
    f"--default-address-pool=base={firewall.BRIDGES},size=24",
    f"--dns={firewall.RESOLVER}",
    "--log-driver=none",
    "--log-level=warn",
    "--config-file=/etc/docker/daemon.json",
]


def run(keep_megabytes: int) -> None:
    """Be the box's first process: serve, reap what is left behind, and end with the server; then all of it ends."""
    server = os.fork()
    if server == 0:
        kernel.die_with_parent()
        try:
            _serve(keep_megabytes)
        finally:
            os._exit(1)
    while True:
        ended, _ = os.wait()
        if ended == server:
            os._exit(1)


def _serve(keep_megabytes: int) -> None:
    own_log = os.open("/run/box.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(own_log, 1)
    os.dup2(own_log, 2)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    _load(firewall.rules([]))
    configuration = Path("/etc/docker/daemon.json")
    configuration.parent.mkdir()
    # The layers of a store of containerd's are not where resources/engine/box/layers.py looks.
    collection = {"enabled": True, "defaultKeepStorage": f"{keep_megabytes}MB"}
    configuration.write_text(json.dumps({"builder": {"gc": collection}, "features": {"containerd-snapshotter": False}}))
    with open(_LOG, "wb") as log:
        engine = subprocess.Popen(_SERVER, env=_ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    with _Server(f"/sockets/{CONTROL}", _Request) as server:
        server.timeout = 1
        while engine.poll() is None:
            server.handle_request()
            server.service_actions()


class _Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    pass


class _Request(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        try:
            request = json.loads(self.rfile.readline(1 << 20))
            answer = {"good": True, **_ANSWERS[request["ask"]](request)}
        except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            answer = {"good": False, "words": f"{type(error).__name__}: {error}"[:1000]}
        self.wfile.write(json.dumps(answer).encode() + b"\n")
        if answer["good"] and request["ask"] == "layer":
            layers.write(request["chain"], self.wfile)


def _state(request: dict[str, Any]) -> dict[str, Any]:
    log = Path(_LOG).read_bytes()[-2000:].decode("utf-8", "replace")
    place = "/data"
    return {
        "answers": Path(f"/sockets/{ENGINE}").exists(),
        "log": log,
        "used": disk.used_megabytes(place),
        "free": disk.free_megabytes(place),
    }


def _network(request: dict[str, Any]) -> dict[str, Any]:
    """New rules, and the names that the engine itself resolves without asking anybody (for ADD)."""
    names = "".join(f"{address} {name}\n" for name, address in request["names"])
    Path("/etc/hosts").write_text(f"127.0.0.1 localhost\n{names}")
    _load(request["rules"])
    return {}


def _asked(request: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        ["nft", "--json", "list", "set", "inet", "infraaudit", "asked"],
        env=_ENVIRONMENT,
        capture_output=True,
        timeout=_NFT_SECONDS,
        check=True,
    )
    listed = next(entry["set"] for entry in json.loads(done.stdout)["nftables"] if "set" in entry)
    return {"addresses": [element["concat"] for element in listed.get("elem", [])]}


def _configuration(request: dict[str, Any]) -> dict[str, Any]:
    return {"text": layers.configuration(request["image"])}


def _layer(request: dict[str, Any]) -> dict[str, Any]:
    return {"size": layers.size(request["chain"])}


_ANSWERS = {
    "state": _state,
    "network": _network,
    "asked": _asked,
    "configuration": _configuration,
    "layer": _layer,
}


def _load(rules: str) -> None:
    subprocess.run(
        ["nft", "--file", "-"],
        input=rules.encode(),
        env=_ENVIRONMENT,
        capture_output=True,
        timeout=_NFT_SECONDS,
        check=True,
    )
