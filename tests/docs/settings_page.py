"""docs/settings.md, written from the settings: `python -m tests.docs.settings_page`."""

import json
import types
from typing import Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from infraaudit_assets.settings import Settings
from tests import ROOT

PAGE = ROOT / "docs" / "settings.md"
PREFIX = "INFRAAUDIT_"
_HEAD = """# Settings

Every environment variable of InfraAudit. This page is generated from `infraaudit_assets/settings.py`:
`python -m tests.docs.settings_page`. An empty variable counts as unset.

## The pipeline, the commands and the service

| variable | type | default | meaning |
|---|---|---|---|
"""
_DEPLOYMENT = """
## Docker Compose and Kubernetes

Read by the image's entrypoint and the shipped `dagster.yaml`; the shipped files set them.

| variable | default | meaning |
|---|---|---|
"""
_CHECKOUT = """
## A checkout

Read by the Makefile, the set-up scripts and the tests.

| variable | default | meaning |
|---|---|---|
"""
DEPLOYMENT = {
    "SECRETS_FOLDER": ("", "folder of secrets, one file each, named like its variable"),
    "DAGSTER_CONFIG": ("", "instance file to copy to the Dagster home as dagster.yaml"),
    "DAGSTER_DATABASE_URL": ("", "SQLAlchemy URL of Dagster's own database"),
    "IMAGE": ("infraaudit/pipeline:local", "image of the roles and of every run"),
    "COMPOSE_PROJECT": ("infraaudit", "Compose project whose networks and volumes a run's container gets"),
    "DOCKER_GID": ("0", "group of the engine's socket; compose.yaml sets it from DOCKER_GID"),
    "ALERT_URL": ("", "webhook of a Grafana with configs/grafana/alerting; in Grafana's own environment"),
    "ALERTMANAGER_URL": ("", "Alertmanager of a Grafana with configs/grafana; in Grafana's own environment"),
    "NAMESPACE": ("", "Kubernetes namespace in which the Jobs of runs are created"),
}
CHECKOUT = {
    "NO_INSTALL": ("", "1: the set-up installs nothing with the system's package manager and starts no engine"),
    "TEST_REQUIRE": ("", "comma-separated parts; a test fails, rather than skips, where one of them is missing"),
    "CRASH_SEED": ("1", "seed of the test that kills processes at random"),
}
INTERNAL = frozenset({"PARSED", "SCAN_LOG", "TEST_LONG"})
"""Not settings: one of our processes, or the tests, sets them for its child."""


def page() -> str:
    """The whole page."""
    fields = "".join(_setting(name, field) for name, field in Settings.model_fields.items())
    return _HEAD + fields + _DEPLOYMENT + _rows(DEPLOYMENT) + _CHECKOUT + _rows(CHECKOUT)


def _setting(name: str, field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    shown = json.dumps(default) if isinstance(default, (list, dict)) else "" if default is None else str(default)
    return _row(name, _type(field.annotation), _code(shown), field.description or "")


def _rows(variables: dict[str, tuple[str, str]]) -> str:
    return "".join(_row(name, _code(default), meaning) for name, (default, meaning) in variables.items())


def _row(name: str, *cells: str) -> str:
    return "| " + " | ".join([f"`{PREFIX}{name.upper()}`", *cells]) + " |\n"


def _code(text: str) -> str:
    return f"`{text}`" if text else "–"


def _type(annotation: object) -> str:
    """The type as the value of a variable is written."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next(_type(each) for each in get_args(annotation) if each is not type(None))
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{each}`" for each in get_args(annotation))
    named = {list: "JSON list", dict: "JSON object", int: "integer", float: "number", str: "text", SecretStr: "text"}
    return named.get(get_origin(annotation) or annotation, "path")


if __name__ == "__main__":
    PAGE.write_text(page())
