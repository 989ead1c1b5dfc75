"""The values that a pod spec refers to: quantities, ConfigMaps and Secrets of the same manifests, ``$(NAME)``."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infraaudit_domain.errors import ManifestError, excerpt

_UNITS = {unit: 1000.0**power for power, unit in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)} | {
    f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", 1)
}
# Kubernetes' own client would also take NaN, Infinity and 1e999999999, which no limit of a container may be.
_QUANTITY = re.compile(r"\+?(\d{1,19}(?:\.\d{0,18})?|\.\d{1,18})(?:([A-Za-z]{0,2})|[eE]([+-]?\d{1,2}))", re.ASCII)
_REFERENCE = re.compile(r"\$(\$|\(([A-Za-z_][\w.-]*)\))")
_ENV_NAME = re.compile(r"[A-Za-z_.-][\w.-]*", re.ASCII)
_FILE = re.compile(r"[\w.-]+(?:/[\w.-]+){0,9}", re.ASCII)


def quantity(value: object) -> float:
    """A quantity of Kubernetes as a number: 500m is 0.5, 128Mi is 134217728. Raises ValueError."""
    match = _QUANTITY.fullmatch(str(value))
    if match is not None and match[3] is not None:
        return float(f"{match[1]}e{match[3]}")
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"{excerpt(str(value), 50)!r} is no quantity")
    return float(match[1]) * _UNITS[str(match[2])]


def number(value: object, default: float) -> float:
    """A number that the manifest may leave out. Raises ValueError."""
    return default if value is None else float(str(value))


def text_of(value: object) -> str:
    """A text; empty where there is none. Raises ValueError for a mapping or a list."""
    if isinstance(value, Mapping | list):
        raise ValueError(f"{excerpt(str(value), 80)} stands where a text belongs")
    return "" if value is None else str(value)


def list_of(mapping: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    """The list of mappings under a key; empty where there is none. Raises ValueError."""
    found = mapping.get(key) or []
    if not isinstance(found, list) or not all(isinstance(entry, Mapping) for entry in found):
        raise ValueError(f"{key} is no list of mappings")
    return found


def expand(text: str, env: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` as Kubernetes does: unknown names stay, ``$$`` is one dollar."""
    return _REFERENCE.sub(lambda match: "$" if match[1] == "$" else env.get(match[2], match[0]), text)


@dataclass(frozen=True, slots=True)
class Values:
    """What the manifests of one release say that its pod may refer to."""

    config_maps: Mapping[str, Mapping[str, str]]
    secrets: Mapping[str, Mapping[str, str]]
    fields: Mapping[str, str]

    @classmethod
    def of(cls, documents: Sequence[Mapping[str, Any]], name: str, labels: Mapping[str, Any]) -> "Values":
        """Raises ValueError for a Secret that is no base64."""
        fields = {"metadata.name": name, "metadata.namespace": "default", "spec.nodeName": "localhost"}
        fields |= {"status.podIP": "127.0.0.1", "status.hostIP": "127.0.0.1", "spec.serviceAccountName": "default"}
        fields |= {f"metadata.labels['{key}']": text_of(value) for key, value in labels.items()}
        by_kind: dict[str, dict[str, Mapping[str, str]]] = {"ConfigMap": {}, "Secret": {}}
        for document in documents:
            if document.get("kind") in by_kind:
                by_kind[document["kind"]][text_of(document["metadata"]["name"])] = _data(document)
        return cls(by_kind["ConfigMap"], by_kind["Secret"], fields)

    def environment(self, where: str, container: Mapping[str, Any]) -> dict[str, str]:
        """The environment of a container, in the order of its manifest."""
        env: dict[str, str] = {}
        for source in list_of(container, "envFrom"):
            prefix = text_of(source.get("prefix"))
            for kind in ("configMap", "secret"):
                if reference := source.get(f"{kind}Ref"):
                    found = self._find(where, kind, text_of(reference.get("name")), bool(reference.get("optional")))
                    env |= {prefix + key: value for key, value in found.items()}
        for entry in list_of(container, "env"):
            value = self._value(where, entry)
            if value is not None:
                env[text_of(entry.get("name"))] = expand(value, env)
        if odd := [key for key in env if not _ENV_NAME.fullmatch(key)]:
            raise ManifestError(f"The {where} has an environment variable of the odd name {excerpt(odd[0], 80)!r}.")
        return env

    def files(self, where: str, kind: str, name: str, source: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        """(path, content) of a volume made of a ConfigMap or Secret."""
        found = self._find(where, kind, name, bool(source.get("optional")))
        wanted = {text_of(item["key"]): text_of(item["path"]) for item in list_of(source, "items")}
        files = tuple((wanted.get(key, key), value) for key, value in found.items() if not wanted or key in wanted)
        if odd := [path for path, _ in files if not _FILE.fullmatch(path) or {".", ".."} & {*path.split("/")}]:
            raise ManifestError(f"{where} mounts a file of the odd name {excerpt(odd[0], 80)!r}.")
        return files

    def _value(self, where: str, entry: Mapping[str, Any]) -> str | None:
        source = entry.get("valueFrom")
        if not source:
            return text_of(entry.get("value"))
        if reference := source.get("fieldRef"):
            path = text_of(reference.get("fieldPath"))
            if path in self.fields:
                return self.fields[path]
        for kind in ("configMap", "secret"):
            if reference := source.get(f"{kind}KeyRef"):
                optional = bool(reference.get("optional"))
                found = self._find(where, kind, text_of(reference.get("name")), optional)
                key = text_of(reference.get("key"))
                if key in found or optional:
                    return found.get(key)
                raise ManifestError(f"The {where} reads {key} of {reference.get('name')}, which has no such key.")
        raise ManifestError(f"The {where} takes {entry.get('name')} from what the container target does not know.")

    def _find(self, where: str, kind: str, name: str, optional: bool) -> Mapping[str, str]:
        found = (self.config_maps if kind == "configMap" else self.secrets).get(name)
        if found is None and not optional:
            raise ManifestError(f"{where} reads the {kind} {name}, which is not among the manifests.")
        return found or {}


def _data(document: Mapping[str, Any]) -> dict[str, str]:
    data = {str(key): text_of(value) for key, value in (document.get("data") or {}).items()}
    if document["kind"] == "Secret":
        try:
            data = {key: base64.b64decode(value, validate=True).decode() for key, value in data.items()}
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ValueError(f"Secret {document['metadata']['name']} is no base64 text") from error
        data |= {str(key): text_of(value) for key, value in (document.get("stringData") or {}).items()}
    return data
