"""Check manifests against the schemas of Kubernetes before any request to the cluster; unknown fields are faults.

The schemas are those of the cluster's own minor version, or the nearest that kubernetes-validate has. Deliberately
absent: custom resources, whose schemas only the cluster knows.
"""

import re
from collections.abc import Iterable

from infraaudit_domain.errors import excerpt
from infraaudit_domain.kubernetes.manifests import Document, identity


def schema_faults(documents: Iterable[Document], cluster_version: str) -> list[str]:
    """The first fault of each document; ``cluster_version`` is like v1.29.3."""
    import kubernetes_validate as schemas

    version = _nearest(cluster_version, schemas.utils.all_versions())
    faults = []
    for document in documents:
        try:
            schemas.validate(document, version, strict=True)
        except schemas.ValidationError as error:
            # Of alternatives the most specific one says what is wrong.
            path = ".".join(str(part) for part in error.absolute_path)
            faults.append(f"{identity(document)}: {path or 'the object'}: {excerpt(error.message, 300)}")
        except schemas.SchemaNotFoundError:
            continue
    return faults


def _nearest(cluster_version: str, known: list[str]) -> str:
    """The known version nearest to the cluster's, which may be older or newer than all known ones, or hidden."""
    found = re.match(r"v?1\.(\d+)", cluster_version)
    minors = sorted({int(name.split("-")[0].split(".")[1]) for name in known})
    wanted = int(found.group(1)) if found else minors[-1]
    return f"1.{min(max(wanted, minors[0]), minors[-1])}"
