"""The modules of Checkov and its libraries that our patches were written for, by the digest of their text.

`python -m resources.checkov.speedups.known_sources` prints the digests of what is installed, to be copied here once a
new version was reviewed and the benchmark found no difference. A module that a new patch relies on is added with an
empty digest first. Deliberately absent: versions, which say less, and which patch relies on what (each patch declares
that).
"""

import functools
import hashlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path

DIGESTS = {
    "asteval.asteval": "4813a9d0ea33028e13a3",
    "bc_jsonpath_ng.parser": "0d57879da1e75d41e77a",
    "checkov.bicep.parser": "c7c446e76054d7c18754",
    "checkov.common.graph.graph_builder.graph_components.blocks": "ea5076d5b314ea3886cb",
    "checkov.common.graph.graph_builder.graph_components.edge": "d77b4d6720c0b52d87f3",
    "checkov.common.graph.graph_builder.local_graph": "fada9f0c77f1326858a3",
    "checkov.common.graph.graph_builder.utils": "dad00bdf37734a4ce68c",
    "checkov.common.graph.graph_builder.variable_rendering.renderer": "c1611da7c245d3769a77",
    "checkov.common.graph.graph_builder.variable_rendering.vertex_reference": "c031765ecc1240e239cd",
    "checkov.common.util.data_structures_utils": "3255fbc4d83a49e98795",
    "checkov.common.util.parser_utils": "a39888c3f6a710adfb1d",
    "checkov.terraform.checks.resource.base_resource_negative_value_check": "4ce27b3ee93320c8cf95",
    "checkov.terraform.checks.resource.base_resource_value_check": "f700bff24e60ad5aa4c6",
    "checkov.terraform.graph_builder.foreach.abstract_handler": "e6177013fcede1e32f56",
    "checkov.terraform.graph_builder.foreach.module_handler": "ae1f3651bdb9207326e1",
    "checkov.terraform.graph_builder.graph_components.blocks": "79f9e668928953771214",
    "checkov.terraform.graph_builder.local_graph": "500e6512d38d94dab022",
    "checkov.terraform.graph_builder.utils": "e52a455c28ca081ddbf2",
    "checkov.terraform.graph_builder.variable_rendering.evaluate_terraform": "abcf6dfd93b97746af61",
    "checkov.terraform.graph_builder.variable_rendering.renderer": "225291d49fbf89fb5c9d",
    "checkov.terraform.graph_builder.variable_rendering.safe_eval_functions": "ac163b5b4b697f4ada8b",
    "checkov.terraform.graph_builder.variable_rendering.vertex_reference": "700f2287c3e581e2eb5e",
    "checkov.terraform.parser_utils": "1097932ad01967522845",
    "dpath": "3bca89a3b6d6315fca28",
    "dpath.segments": "21ad5a8f7707540fcd80",
    "hcl2.api": "d2550f177f7301aed317",
    "pycep.main": "3de04e7ce87e3ab105f2",
}


def are_known(modules: Iterable[str]) -> bool:
    """Whether each module is installed with the known text."""
    return all(_digest(module) == DIGESTS.get(module, "") for module in modules)


@functools.cache
def _digest(module: str) -> str | None:
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest()[:20] if found and found.origin else None


if __name__ == "__main__":
    for name in sorted(DIGESTS):
        print(f'    "{name}": "{_digest(name)}",')
