"""``dpath`` for paths that name exactly one value, looked up directly instead of by walking the whole document.

Deliberately absent: patterns, and any path that dpath might read differently; those go to dpath.
"""

from typing import Any

_UNSURE, _ABSENT = object(), object()
_LEAVES = (str, int, float, bool, type(None))


class PathLookup:
    """What Checkov uses of the module ``dpath``; a search says only whether there is anything."""

    def __init__(self, usual: Any) -> None:
        self._usual = usual

    def search(self, attributes: Any, path: Any, **options: Any) -> Any:
        found = _UNSURE if options else _at(attributes, _keys(path))
        if found is _UNSURE:
            return self._usual.search(attributes, path, **options)
        return {} if found is _ABSENT else {"found": True}

    def get(self, attributes: Any, path: Any) -> Any:
        found = _at(attributes, _keys(path))
        return self._usual.get(attributes, path) if found is _UNSURE or found is _ABSENT else found


def _keys(path: Any) -> Any:
    return path.lstrip("/").split("/") if type(path) is str else path


def _at(node: Any, path: Any) -> Any:
    """The value at a path of keys and indexes; unsure where dpath might match by a pattern or a key of another type."""
    for key in path:
        if type(key) is not str or key in ("", "True", "False") or any(sign in key for sign in "*?["):
            return _UNSURE
        try:
            index = int(key)
        except ValueError:
            index = None
        if index is not None and index < 0:
            return _UNSURE
        if type(node) is list:
            node = node[index] if index is not None and index < len(node) else _ABSENT
        elif type(node) is dict:
            if index is not None and not all(isinstance(name, str) for name in node):
                return _UNSURE
            node = node.get(key, _ABSENT)
        else:
            return _ABSENT if type(node) in _LEAVES else _UNSURE
        if node is _ABSENT:
            break
    return node
