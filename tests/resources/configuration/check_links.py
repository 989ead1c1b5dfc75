"""Write scanner/remedies.csv: where to read about every check of the installed Checkov.

    python -m tests.resources.configuration.check_links

Checkov gives its guidelines over the network alone, and a scan here has none. What it does have of each check is its
source, which says what is looked at and which value passes; the links name the version that is installed, so that what
they show is what ran. Run again after every upgrade of Checkov: a test compares the two.
"""

import csv
from importlib.metadata import version
from pathlib import Path

FILE = Path(__file__).parents[3] / "scanner" / "remedies.csv"
_FIRST = ("Kubernetes", "Terraform", "dockerfile", "Cloudformation")
"""Where frameworks share a check, the source that is read most."""
_NO_SOURCE = "policy_metadata_integration.py"
"""What Checkov names as the source of checks that are but a name: the detectors of secrets."""
_SECRETS = "https://www.checkov.io/5.Policy%20Index/secrets.html"


def links() -> dict[str, str]:
    """The link of each check, by its id."""
    from checkov.docs_generator import get_checks

    rows = sorted(get_checks(frameworks=["all"]), key=lambda row: (_rank(row[4]), row[5]))
    here = f"/blob/{version('checkov')}/"
    first = {check: link.replace("/blob/main/", here) for check, *_, link in reversed(rows)}
    first = {check: _SECRETS if link.endswith(_NO_SOURCE) else link for check, link in first.items()}
    return dict(sorted(first.items()))


def _rank(framework: str) -> int:
    return _FIRST.index(framework) if framework in _FIRST else len(_FIRST)


def main() -> None:
    """Write the file."""
    with FILE.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("check_id", "link"))
        rows.writerows(links().items())
    print(f"{FILE}: {len(links())} checks")


if __name__ == "__main__":
    main()
