"""Probes of a container as its manifest describes them. Deliberately absent: asking (resources/targets/container/probing.py)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from infraaudit_domain.kubernetes.pod_values import list_of, number, text_of


@dataclass(frozen=True, slots=True)
class Probe:
    """One check of a container, repeated periodically."""

    kind: str
    """http, tcp or exec."""
    port: int = 0
    path: str = "/"
    scheme: str = "http"
    headers: tuple[tuple[str, str], ...] = ()
    command: tuple[str, ...] = ()
    delay_seconds: float = 0
    period_seconds: float = 10
    timeout_seconds: float = 1
    successes: int = 1
    failures: int = 3
    """How often in a row it has to fail before what was ready is no longer so."""

    def __str__(self) -> str:
        return {"http": f"GET {self.path} on port {self.port}", "tcp": f"port {self.port}"}.get(
            self.kind, f"command {' '.join(self.command)[:80]}"
        )


def read_probe(entry: Mapping[str, Any] | None, named_ports: Mapping[str, int]) -> Probe | None:
    """The probe of a manifest; None where there is none. Raises ValueError."""
    if not entry:
        return None
    probe = Probe(
        "",
        delay_seconds=number(entry.get("initialDelaySeconds"), 0),
        period_seconds=number(entry.get("periodSeconds"), 10),
        timeout_seconds=min(max(number(entry.get("timeoutSeconds"), 1), 0.1), 60),
        successes=int(number(entry.get("successThreshold"), 1)),
        failures=int(number(entry.get("failureThreshold"), 3)),
    )
    if http := entry.get("httpGet"):
        path = text_of(http.get("path")) or "/"
        return replace(
            probe,
            kind="http",
            port=_port(http.get("port"), named_ports),
            path=path if path.startswith("/") else f"/{path}",
            scheme="https" if text_of(http.get("scheme")).upper() == "HTTPS" else "http",
            headers=tuple((text_of(h["name"]), text_of(h["value"])) for h in list_of(http, "httpHeaders")),
        )
    if command := (entry.get("exec") or {}).get("command"):
        return replace(probe, kind="exec", command=tuple(map(text_of, command)))
    if port := (entry.get("tcpSocket") or entry.get("grpc") or {}).get("port"):
        return replace(probe, kind="tcp", port=_port(port, named_ports))
    raise ValueError("a probe has neither httpGet, tcpSocket nor exec")


def _port(value: object, named: Mapping[str, int]) -> int:
    port = named[value] if isinstance(value, str) and value in named else int(str(value))
    if not 1 <= port <= 65535:
        raise ValueError(f"{port} is no port")
    return port
