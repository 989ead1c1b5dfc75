from pathlib import Path

from resources.machine.state_folder import StateFolder

SHA = "5" * 40


def test_the_paths_are_those_of_an_installation_of_0_1() -> None:
    """With another path an installation would lose its files. Literals on purpose: the code cannot prove itself."""
    state = StateFolder(Path("/state"))
    assert {
        "history": str(state.history),
        "dagster": str(state.dagster),
        "checkouts": str(state.checkouts),
        "scans": str(state.scans),
        "containers": str(state.containers),
        "inbox": str(state.inbox),
        "demo": str(state.demo),
        "run_log": str(state.run_log),
        "example": str(state.example),
        "mirrors": str(state.mirrors),
        "mirror": str(state.mirror("shop")),
        "box": str(state.box("shop")),
        "logs": str(state.logs("shop")),
    } == {
        "history": "/state/history.db",
        "dagster": "/state/dagster",
        "checkouts": "/state/checkouts",
        "scans": "/state/scans",
        "containers": "/state/containers",
        "inbox": "/state/inbox",
        "demo": "/state/demo",
        "run_log": "/state/run.log",
        "example": "/state/example.git",
        "mirrors": "/state/mirrors",
        "mirror": "/state/mirrors/shop",
        "box": "/state/boxes/shop",
        "logs": "/state/logs/shop",
    }


def test_naming_a_path_makes_nothing(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    assert state.history.parent == state.path
    assert not state.kept_of("shop", SHA)
    assert not state.path.exists()


def test_what_stages_kept_of_a_commit_is_that_of_this_project_and_commit_alone(tmp_path: Path) -> None:
    for folder in (f"tests/shop/{SHA}", f"images/shop/{SHA}", f"tests/other/{SHA}", "tests/shop/" + "6" * 40):
        (tmp_path / folder).mkdir(parents=True)
    kept = StateFolder(tmp_path).kept_of("shop", SHA)
    assert sorted(str(path.relative_to(tmp_path)) for path in kept) == [f"images/shop/{SHA}", f"tests/shop/{SHA}"]
