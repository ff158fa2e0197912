"""The verbs of `seaice figure`: what goes into a paper."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seaice.dates import checked_date
from seaice.errors import SettingsError

if TYPE_CHECKING:
    from seaice.evaluate.paper.page import Width

__all__ = ["figure"]

figure = typer.Typer(
    help="Figures and tables for a paper: PDF, PNG and LaTeX at the width of a column.",
    no_args_is_help=True,
)
OUT = Annotated[Path, typer.Option("--out", "-o", help="Files to write, without ending.")]
WIDTH = Annotated[str, typer.Option(help="column (3.5 in) or page (7.16 in).")]
DATE = Annotated[str | None, typer.Option(help="Day of a file of many days, as 2020-03-03.")]
LABELS = Annotated[
    list[str] | None, typer.Option("--label", help="What a map is called; once for each.")
]
REFERENCE = "Truth, product, OSI SAF, ASI, NSIDC or ASIP NetCDF, or GeoTIFF."


@figure.command("map")
def map_(
    maps: Annotated[list[Path], typer.Argument(help=f"One or several. {REFERENCE}")],
    out: OUT = Path("figure_map"),
    width: WIDTH = "column",
    label: LABELS = None,
    date: DATE = None,
) -> None:
    """Maps of concentration, with one colour bar."""
    from seaice.workflow.evaluation.paper import paper_map

    _told(paper_map(maps, label or (), checked_date(date) if date else None, out, _width(width)))


@figure.command()
def scatter(
    product: Annotated[Path, typer.Argument(help="A product's folder or Zarr store.")],
    reference: Annotated[Path, typer.Argument(help=REFERENCE)],
    out: OUT = Path("figure_scatter"),
    width: WIDTH = "column",
    label: LABELS = None,
    date: DATE = None,
    cell: Annotated[float | None, typer.Option(help="km; left out: the coarser map's.")] = None,
) -> None:
    """A product against a reference, cell by cell."""
    from seaice.workflow.evaluation.paper import paper_scatter

    day = checked_date(date) if date else None
    _told(paper_scatter(product, reference, label or (), day, cell, out, _width(width)))


@figure.command()
def classes(
    scores: Annotated[Path, typer.Argument(help="scores.csv of `seaice evaluate`.")],
    out: OUT = Path("figure_classes"),
    width: WIDTH = "column",
    metric: Annotated[str, typer.Option(help="rmse, mae, bias or std.")] = "rmse",
    cell: Annotated[float | None, typer.Option(help="km; left out: the finest.")] = None,
) -> None:
    """A score by class of concentration: a figure, and LaTeX tables."""
    from seaice.workflow.evaluation.paper import paper_classes

    _told(paper_classes(scores, metric, cell, out, _width(width)))


def _told(paths: list[Path]) -> None:
    for path in paths:
        typer.echo(path)


def _width(text: str) -> "Width":
    match text:
        case "column" | "page":
            return text
    raise SettingsError(f"width {text!r}", "column or page", "give --width column")
