"""`infraaudit history`, `backup` and `restore`: a history in another database, and an installation's state in a file."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from infraaudit_assets.commands.formats import print_result
from infraaudit_assets.commands.options import AsJson, Form, Format, chosen
from infraaudit_assets.settings import settings

app = typer.Typer(help="Move the history between databases.", no_args_is_help=True)
_STREAM = Path("-")


@app.command("export")
def export_history(
    output: Annotated[Path, typer.Argument(help="SQLite file to write; it must not exist.")],
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Write the whole history into one SQLite file, from whichever database it is in."""
    from infraaudit_domain.errors import ConfigurationError
    from resources.history import History, open_history

    if output.exists():
        raise ConfigurationError(f"{output} exists; give a new file.")
    target = History(f"sqlite:///{output.resolve()}")
    target.migrate()
    how = chosen(form, as_json)
    rows = _copied(open_history(settings().history_url), target, quiet=how is not Format.TABLE)
    Path(f"{output}.migrating").unlink(missing_ok=True)
    print_result({"rows": rows, "file": str(output)}, how, f"{rows} rows written to {output}")


@app.command("import")
def import_history(
    source: Annotated[Path, typer.Argument(help="SQLite file: an export, or the history.db of an installation.")],
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Fill this installation's empty history (INFRAAUDIT_DATABASE_URL) from a file. All or nothing."""
    from resources.history import open_history
    from resources.history.transfer import open_file

    how = chosen(form, as_json)
    rows = _copied(open_file(source), open_history(settings().history_url), quiet=how is not Format.TABLE)
    print_result({"rows": rows}, how, f"{rows} rows imported from {source}")


def _copied(source: object, target: object, quiet: bool) -> int:
    from rich.console import Console

    from resources.history.transfer import copy_history

    console = Console(stderr=True, quiet=quiet)
    with console.status("copying") as status:
        return copy_history(
            source,  # type: ignore[arg-type]
            target,  # type: ignore[arg-type]
            lambda table, number: status.update(f"copied {number} rows of {table}"),
        )


def backup(
    output: Annotated[
        Path, typer.Argument(help="Archive to write, for example infraaudit.tar.gz; - is standard output.")
    ],
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Write history, reports, logs and Dagster's SQLite files into one archive; the installation may keep running.

    Dagster's tables in PostgreSQL are not in it (back those up with pg_dump), nor are Git's credentials.
    """
    from infraaudit.operations.backup import write_backup
    from resources.history import open_history

    current = settings()
    with _written(output, current.state.path) as archive:
        done = write_backup(
            archive, open_history(current.history_url), current.state.path, current.reports.resolve(), datetime.now(UTC)
        )
        size = archive.stat().st_size
    message = f"{done.rows} rows and {done.files} files in {output} ({size / 1e6:.1f} MB)"
    beside = sys.stderr if output == _STREAM else sys.stdout
    print_result(asdict(done) | {"bytes": size}, chosen(form, as_json), message, beside)


def restore(
    archive: Annotated[
        Path, typer.Argument(help="Archive that `infraaudit backup` wrote; - is standard input.", allow_dash=True)
    ],
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Fill an empty installation from a backup. Stop the roles first: Dagster's files are replaced."""
    from infraaudit.operations.backup import restore_backup
    from resources.history import open_history

    current = settings()
    with _read(archive, current.state.path) as file:
        done = restore_backup(file, open_history(current.history_url), current.state.path, current.reports.resolve())
    message = f"{done.rows} rows and {done.files} files restored from {archive}"
    print_result(asdict(done), chosen(form, as_json), message)


@contextmanager
def _written(output: Path, state: Path) -> Iterator[Path]:
    """A file to write: the output itself, or one that standard output gets when it is whole."""
    if output != _STREAM:
        yield output
        return
    with TemporaryDirectory(dir=state, prefix=".backup-") as scratch:
        archive = Path(scratch) / "archive"
        yield archive
        with archive.open("rb") as whole:
            shutil.copyfileobj(whole, sys.stdout.buffer)


@contextmanager
def _read(archive: Path, state: Path) -> Iterator[Path]:
    """A file to read: the archive itself, or what came on standard input."""
    if archive != _STREAM:
        yield archive
        return
    state.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=state, prefix=".restore-") as scratch:
        received = Path(scratch) / "archive"
        with received.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield received
