"""The verb `seaice fetch`; `seaice.cli.verbs` lists it."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from seaice.cli.options import first_and_last
from seaice.cli.show import failed, rows
from seaice.errors import SettingsError, to_install

if TYPE_CHECKING:
    from seaice.io.download import Archive, ProgressCallback, RemoteFile

__all__ = ["fetch"]

LIBRARIES = {"jaxa": ("gportal", "paramiko"), "nsidc": ("earthaccess",)}


def fetch(
    start: Annotated[str, typer.Option(help="First day, UTC, as 2020-03-01.")],
    end: Annotated[str, typer.Option(help="Last day, included.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the granules.")],
    source: Annotated[str, typer.Option(help="jaxa (swaths) or nsidc (AU_SI6 maps).")] = "jaxa",
    level: Annotated[str, typer.Option(help="L1B or L1R, of jaxa.")] = "L1B",
    connections: Annotated[int, typer.Option(help="Parallel connections; 1 fails least.")] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be downloaded.")
    ] = False,
) -> None:
    """Download granules from JAXA or NSIDC; an interrupted download is resumed."""
    from seaice.io.download import download_files, is_downloaded

    first, last = first_and_last(f"{start}:{end}")
    archive = _archive(source, level)
    try:
        output = archive.find(first, last)
    except OSError as error:
        raise SettingsError(
            f"no response of the catalogue of {archive.title} ({error})",
            "a connection to it",
            "check your network, and try again later",
        ) from error
    missing = [remote for remote in output if not is_downloaded(remote, out)]
    _listed(output, missing)
    if dry_run:
        typer.echo("nothing was done (--dry-run)")
        return
    if missing and not archive.has_account():
        raise SettingsError(
            "no account in the environment", f"one of {archive.title}", archive.account_help
        )
    failures = 0
    with _bar(missing) as progress:
        for result in download_files(archive, missing, out, progress, connections=connections):
            if result.error:
                failed(f"{result.remote.name}: {result.error}")
                failures += 1
    typer.echo(f"{len(missing) - failures} files downloaded to {out}, {failures} failed")
    if failures:
        typer.echo("run the same command again to resume these")
        raise typer.Exit(2)


def _archive(source: str, level: str) -> "Archive":
    """The archive of that name, if its libraries are installed."""
    if source not in LIBRARIES:
        raise SettingsError(f"source {source!r}", "jaxa or nsidc", "give --source jaxa")
    absent = [name for name in LIBRARIES[source] if find_spec(name) is None]
    if absent:
        raise SettingsError(
            f"{', '.join(absent)} not installed",
            f"the libraries that access {source}",
            f"type: {to_install('seaice[fetch]')}",
        )
    if source == "nsidc":
        from seaice.io.download import NsidcArchive

        return NsidcArchive()
    from seaice.io.download import JaxaArchive, parse_level

    return JaxaArchive(parse_level(level))


def _listed(found: "list[RemoteFile]", missing: "list[RemoteFile]") -> None:
    """Print files by day, and how much remains to be downloaded."""
    days = sorted({remote.day for remote in found})
    lines = [
        (
            str(day),
            str(sum(remote.day == day for remote in found)),
            str(sum(remote.day == day for remote in missing)),
            _sizes([remote for remote in missing if remote.day == day]),
        )
        for day in days
    ]
    rows(
        ("day", "files", "to download", "size"),
        [*lines, ("all", str(len(found)), str(len(missing)), _sizes(missing))],
    )


def _sizes(remotes: "list[RemoteFile]") -> str:
    sizes = [remote.size for remote in remotes]
    known = sum(size for size in sizes if size is not None)
    unknown = sizes.count(None)
    size = f"{known / 1e6:.0f} MB" if known or not unknown else ""
    return " and ".join(filter(None, [size, f"{unknown} of unknown size" if unknown else ""]))


@contextmanager
def _bar(remotes: "list[RemoteFile]") -> "Iterator[ProgressCallback]":
    """A progress bar per file, on a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks = {
            remote.name: bars.add_task(remote.name, total=remote.size, visible=False)
            for remote in remotes
        }

        def report(remote: "RemoteFile", received: int) -> None:
            bars.update(tasks[remote.name], completed=received, visible=received != remote.size)

        yield report
