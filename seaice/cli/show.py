"""What the command line shows: bars while it works, tables when it is done."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from seaice.product.folder import ProductFile
    from seaice.workflow.stages import Progress as ProgressReport

__all__ = ["failed", "product_made", "program", "rows", "watched"]

BESIDE = (".qml", ".aux.xml")  #: what GIS programs read along with a raster, unasked


@contextmanager
def watched() -> "Iterator[ProgressReport]":
    """A progress to hand to a pipeline: a bar for each stage, on a terminal only."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    tasks = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:

        def told(stage: str, done: int, steps: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=steps)
            bars.update(tasks[stage], completed=done, total=steps)

        yield told


def failed(message: object) -> None:
    """An error, plainly."""
    typer.echo(f"seaice: {message}", err=True)


def rows(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """A table; lines are never cut, so that names can be copied."""
    widths = [max(map(len, column)) for column in zip(headings, *lines, strict=True)]
    for line in (headings, *lines):
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def product_made(folder: Path, made: "Sequence[ProductFile]", warnings: Sequence[str]) -> None:
    """What a product folder holds, and how to open it."""
    typer.echo(f"{folder}/\n")
    rows(
        ("file", "size", "what it is"),
        [
            (file.name, _readable(file.size), file.description)
            for file in made
            if not file.name.endswith(BESIDE)
        ],
    )
    for warning in warnings:
        typer.echo(f"\nnote: {warning}")
    endings = {Path(file.name).suffix for file in made}
    if ".qgz" in endings:
        typer.echo(f"\nIn QGIS: open {folder.name}.qgz; every layer is in it, with its style.")
    if {".zarr", ".nc"} & endings:
        typer.echo(f'In Python: import seaice; seaice.open_product("{folder}").seaice.plot()')
        typer.echo(f"Why a cell has its value: {program()} why {folder} LONGITUDE LATITUDE")


def program() -> str:
    """What to type for this program: its name where the shell finds it, else its path."""
    typed = sys.argv[0]
    if Path(typed).name != "seaice":
        return "seaice"
    result = shutil.which("seaice")
    return "seaice" if result and Path(result).samefile(typed) else typed


def _readable(size: int) -> str:
    """A size as people say it.

    >>> _readable(1_234_567)
    '1.2 MB'
    """
    for unit, bytes_in in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= bytes_in:
            return f"{size / bytes_in:.1f} {unit}"
    return f"{size} B"
