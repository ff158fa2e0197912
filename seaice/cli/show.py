"""What the command line shows: bars while it works, tables when it is done."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from pipelines.stages import Progress as Told
    from seaice.write.product import Made

__all__ = ["failed", "product_made", "rows", "watched"]


@contextmanager
def watched() -> "Iterator[Told]":
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
    Console(stderr=True, soft_wrap=True, highlight=False).print(
        f"[bold]seaice:[/] {_plain(message)}"
    )


def rows(title: str, headings: Sequence[str], lines: Sequence[Sequence[object]]) -> None:
    """A table."""
    table = Table(*headings, title=title, title_justify="left", box=None, pad_edge=False)
    for line in lines:
        table.add_row(*(_plain(cell) for cell in line))
    Console(soft_wrap=True).print(table)


def product_made(folder: Path, made: "Sequence[Made]", warnings: Sequence[str]) -> None:
    """What a product folder holds, and how to open it."""
    lines = [(file.name, _readable(file.size), file.says) for file in made]
    rows(f"{folder}/", ("file", "size", "what it is"), lines)
    console = Console(soft_wrap=True, highlight=False)
    for warning in warnings:
        console.print(f"note: {_plain(warning)}")
    raster = next((file.name for file in made if file.name.endswith(".tif")), None)
    store = next((file.name for file in made if file.name.endswith(".zarr")), None)
    if raster:
        console.print(f"\nIn QGIS: drag {folder / raster} into the map; its style lies beside it.")
    if store:
        console.print(f'In a notebook: xarray.open_zarr("{folder / store}")["sic"][0].plot()')


def _plain(text: object) -> str:
    """Text in which square brackets are brackets, not rich's markup."""
    return str(text).replace("[", r"\[")


def _readable(size: int) -> str:
    """A size as people say it.

    >>> _readable(1_234_567)
    '1.2 MB'
    """
    for unit, bytes_in in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= bytes_in:
            return f"{size / bytes_in:.1f} {unit}"
    return f"{size} B"
