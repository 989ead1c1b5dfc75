"""Rules that import-linter cannot check: the domain uses the standard library only, modules stay short, the wheel is
complete."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import ROOT

PACKAGES = ("infraaudit_assets", "sensors", "service", "infraaudit", "resources", "infraaudit_domain")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
DOMAIN = [path for path in MODULES if "infraaudit_domain" in path.parts]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def lazy_own_imports(path: Path) -> list[str]:
    """Own modules that are imported anywhere but at the top of a file, TYPE_CHECKING included."""
    tree = ast.parse(path.read_text())
    below = (node for node in ast.walk(tree) if node not in tree.body)
    return [
        f"{name(path)}:{node.lineno}"
        for node in below
        if (isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in PACKAGES)
        or (isinstance(node, ast.Import) and {alias.name.split(".")[0] for alias in node.names} & {*PACKAGES})
    ]


def test_own_modules_are_imported_at_the_top() -> None:
    """So that a circle shows at once. Only the CLI loads a command's module when it is called, so that --help stays
    quick."""
    lazily = [ROOT / "infraaudit_assets" / "cli.py", *(ROOT / "infraaudit_assets" / "commands").rglob("*.py")]
    assert [line for path in MODULES if path not in lazily for line in lazy_own_imports(path)] == []


@pytest.mark.parametrize("path", DOMAIN, ids=name)
def test_the_domain_imports_the_standard_library_and_itself(path: Path) -> None:
    foreign = {
        module
        for module in imports(path)
        if module.split(".")[0] not in sys.stdlib_module_names and not module.startswith("infraaudit_domain")
    }
    assert foreign == set()


@pytest.mark.parametrize("path", DOMAIN, ids=name)
def test_the_domain_touches_nothing_outside(path: Path) -> None:
    outside = {"os", "subprocess", "socket", "time", "tempfile", "shutil", "urllib.request", "pathlib"}
    assert imports(path) & outside == set()


def test_modules_stay_short() -> None:
    """The aim is about 250 lines; a module far above that should be split."""
    lengths = {name(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {path: lines for path, lines in lengths.items() if lines > 310} == {}


def test_no_module_is_named_for_nothing() -> None:
    assert [name(path) for path in MODULES if path.stem in ("utils", "helpers", "common", "misc", "manager")] == []


def test_definitions_are_a_short_composition_root() -> None:
    assert len((ROOT / "infraaudit_assets" / "definitions.py").read_text().splitlines()) < 80


@pytest.mark.e2e
def test_the_wheel_carries_what_an_installation_needs(tmp_path: Path) -> None:
    uv = ROOT / ".venv-tools" / "bin" / "uv"
    if not uv.exists():
        pytest.skip("uv is not here; `make setup` installs it")
    built = subprocess.run(
        [uv, "build", "--quiet", "--wheel", "--out-dir", tmp_path, ROOT], capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    assert {name(path) for path in MODULES} <= inside
    data = "infraaudit_assets/data"
    needed = {"configs/projects.yaml", "scanner/severities.csv", "examples/make_history.py", "docker/install-parts.sh"}
    assert {f"{data}/{path}" for path in needed} <= inside
    assert "resources/history/migrations/script.py.mako" in inside
    assert not [path for path in inside if path.startswith((".venv", "tests/")) or "__pycache__" in path]


def test_dg_and_the_workspace_name_one_code_location(monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster._core.workspace.load_target import PyProjectFileTarget, WorkspaceFileTarget

    monkeypatch.chdir(ROOT)
    targets = (PyProjectFileTarget("pyproject.toml"), WorkspaceFileTarget(["workspace.yaml"]))
    names = [[origin.location_name for origin in target.create_origins()] for target in targets]
    assert names == [["infraaudit_assets.definitions"]] * 2


def test_a_step_imports_nothing_heavy() -> None:
    # Every process of every run imports the definitions; libraries that only some need are imported where they are
    # used.
    heavy = [
        "pandas",
        "kubernetes",
        "checkov",
        "vl_convert",
        "httpx",
        "apprise",
        "jinja2",
        "starlette",
        "duckdb",
        "docker",
    ]
    script = f"import sys, infraaudit_assets.definitions; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
