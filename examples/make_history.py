"""Make a Git repository of the sample application, with a history worth auditing.

    python examples/make_history.py DEST [--commits N]

The first commit is examples/infraauditai; the rest are the patches of examples/history, in the order of their
names, as ``git am`` applies them. Authors and dates are fixed and the user's Git settings are ignored, so that the
SHAs are the same on every machine. DEST must not exist yet; a DEST that ends in ``.git`` becomes a bare repository.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
APPLICATION = HERE / "infraauditai"
PATCHES = HERE / "history"
SUBJECT = "A service that audits manifests and Terraform"
_AUTHOR = ("Ada Byron", "ada@infraauditai.example", "2026-01-12T09:00:00+00:00")
_CACHES = shutil.ignore_patterns("__pycache__", ".pytest_cache")


def make_history(destination: Path, commits: int | None = None) -> str:
    """Make the repository and return the SHA of its newest commit; ``commits`` cuts the history short."""
    if destination.exists():
        raise FileExistsError(f"{destination} exists already; remove it, or name another folder")
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".history-") as scratch:
        work = Path(scratch) / "work"
        shutil.copytree(APPLICATION, work, ignore=_CACHES)
        _git(work, "init", "--quiet", "--initial-branch=main")
        _git(work, "add", "--all", "--force")
        _git(work, "commit", "--quiet", f"--message={SUBJECT}")
        patches = sorted(PATCHES.glob("*.patch"))[: None if commits is None else commits - 1]
        if patches:
            _git(work, "am", "--quiet", "--committer-date-is-author-date", *map(str, patches))
        if destination.suffix == ".git":
            bare = Path(scratch) / "bare"
            _git(work, "clone", "--quiet", "--bare", "--no-hardlinks", str(work), str(bare))
            work = bare
        work.rename(destination)
    return _git(destination, "rev-parse", "main")


def _git(folder: Path, *words: str) -> str:
    name, email, date = _AUTHOR
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")} | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_AUTHOR_DATE": date,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": email,
        "GIT_COMMITTER_DATE": date,
        "TZ": "UTC",
        "LC_ALL": "C",
    }
    done = subprocess.run(["git", "-C", str(folder), *words], env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"git {words[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description="Make a Git repository of the sample application, with its history.")
    parser.add_argument("destination", type=Path)
    parser.add_argument("--commits", type=int, help="only the first N commits")
    words = parser.parse_args()
    try:
        print(make_history(words.destination, words.commits))
    except (FileExistsError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
