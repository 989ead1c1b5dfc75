"""What an audit tells."""

from dataclasses import asdict, dataclass

SEVERITIES = ("low", "medium", "high", "critical")


@dataclass(frozen=True)
class Finding:
    rule: str
    severity: str
    resource: str
    message: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


class UnreadableInput(ValueError):
    """The uploaded text is neither a manifest nor Terraform."""
