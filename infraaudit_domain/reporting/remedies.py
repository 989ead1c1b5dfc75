"""How a finding of a check is fixed: a link, and a site's own words. Deliberately absent: reading the files."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from infraaudit_domain.scans.findings import Finding

_INDEX = "https://www.checkov.io/5.Policy%20Index"
_PAGES = {"CKV_SECRET_": f"{_INDEX}/secrets.html", "CKV": f"{_INDEX}/all.html"}
"""Where Checkov lists its checks, by how their ids begin: for a check that is newer than our table."""


@dataclass(frozen=True, slots=True)
class Remedy:
    link: str = ""
    text: str = ""
    """What the site itself says of the check."""


@dataclass(frozen=True, slots=True)
class Remedies:
    """The link of each of Checkov's checks, and what the site says instead or beside it, by check id."""

    links: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, Remedy] = field(default_factory=dict)

    def of(self, check_id: str, guideline: str = "") -> Remedy:
        """The remedy of a check; ``guideline`` is the link that the scan itself gave. A check of a site's own has none."""
        own = self.own.get(check_id, Remedy())
        page = next((page for start, page in _PAGES.items() if check_id.startswith(start)), "")
        return Remedy(own.link or guideline or self.links.get(check_id, page), own.text)

    def explained(self, finding: Finding) -> Finding:
        """The finding with the link of its remedy as guideline."""
        return replace(finding, guideline=self.of(finding.check_id, finding.guideline).link)


NO_REMEDIES = Remedies()
"""What Checkov's own lists say."""
