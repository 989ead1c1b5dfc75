"""The limits of a scan. Every one has a default that a large repository stays under."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """What one scan may use; a scan beyond a limit of its files is partial, beyond one of its process failed."""

    seconds: float = 900
    """Wall time of one Checkov process."""
    cpu_seconds: int = 900
    memory_bytes: int = 4 * 1024**3
    """Address space of one Checkov process."""
    file_bytes: int = 2 * 1024**2
    """Larger files are left out."""
    total_bytes: int = 512 * 1024**2
    files: int = 20_000
    """Files that some framework can read; further ones are left out."""
    yaml_depth: int = 100
    yaml_nodes: int = 500_000
    """Nodes of one file; those behind an alias count at each reference."""
    gaps: int = 1_000
    """Files that could not be read, listed by name for each framework."""
    report_bytes: int = 256 * 1024**2
    config_bytes: int = 64 * 1024
    attempts: int = 60
    """Processes spent on finding the files that break a framework."""


@dataclass(frozen=True, slots=True)
class RenderLimits:
    """What the rendering of a commit's kustomizations and charts may use; beyond a limit each is a gap."""

    units: int = 400
    """Kustomizations and charts of one commit."""
    files: int = 2_000
    """Files that one of them reads."""
    file_bytes: int = 4 * 1024**2
    """Bytes of each of these files."""
    total_bytes: int = 256 * 1024**2
    """Bytes of all files that are read."""
    kustomization_bytes: int = 512 * 1024
    kustomizations_bytes: int = 16 * 1024**2
    """Bytes of all kustomizations of one commit."""
    kustomization_nodes: int = 50_000
    kustomization_depth: int = 50
    output_bytes: int = 16 * 1024**2
    """What one of them may print."""
    objects: int = 5_000
    seconds: float = 60
    """Wall time of one of them."""
    total_seconds: float = 1800
    """Wall time of all of them, their scans included."""
