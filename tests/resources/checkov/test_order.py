"""The order in which a scan goes through a tree depends on its names alone, not on where it lies or how it was written."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = [f"{folder}{name}.bicep" for folder in ("", "modules/", "modules/deep/") for name in "qwertyuiopasdfgh"]
SCRIPT = """
import glob, json, os, pathlib, sys
from resources.checkov.reading.order import keep_order
root = pathlib.Path(sys.argv[1])
before = {root.parent / "beside": 1, pathlib.Path("/usr"): 2}
keep_order(str(root))
assert before[root.parent / "beside"] == 1 and before[pathlib.Path("/usr")] == 2, "other paths are found as before"
files = {path for path in root.rglob("*.bicep")}
assert root / "modules/q.bicep" in files and root / "nothing" not in files
def names(paths): return [os.path.relpath(path, root) for path in paths]
with os.scandir(root) as entries: listed = [entry.name for entry in entries]
walked = [os.path.join(folder, file) for folder, _, files_here in os.walk(root) for file in files_here]
print(json.dumps([names(files), names(root.rglob("*")), listed, os.listdir(root), names(walked), names(glob.glob(f"{root}/**", recursive=True))]))
"""


def orders(root: Path, seed: int) -> list[list[str]]:
    names = list(NAMES)
    random.Random(seed).shuffle(names)
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    words = [sys.executable, "-c", SCRIPT, str(root)]
    done = subprocess.run(
        words, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "0", "PYTHONPATH": "."}
    )
    found: list[list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("folder", ["a", "scan-x7/tree", "scan-yy/tree"])
def test_the_order_is_the_same_in_every_folder(tmp_path: Path, folder: str) -> None:
    first, found = orders(tmp_path / "elsewhere/tree", 1), orders(tmp_path / folder, 2)
    assert found == first and all(len(names) > 15 for names in first)
    assert first[2] == first[3] == sorted(first[2])
