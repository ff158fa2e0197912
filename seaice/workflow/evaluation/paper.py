"""Products, references and scores in, a paper's figures and tables out."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from seaice.errors import NoInputError, SettingsError
from seaice.evaluate.fields.field import Field, align_fields
from seaice.evaluate.fields.open import open_field_isolated
from seaice.evaluate.paper.figures import class_figure, map_figure, scatter_figure
from seaice.evaluate.paper.page import Width, save, typeset
from seaice.evaluate.paper.tables import class_rows, overall_rows, tabular
from seaice.evaluate.records import Record, read_csv
from seaice.files import atomic_file, ensure_writable

__all__ = ["paper_classes", "paper_map", "paper_scatter"]


def paper_map(
    maps: Sequence[Path], labels: Sequence[str], day: date | None, stem: Path, width: Width
) -> list[Path]:
    """Maps of products or references, side by side where there are several; the files written.

    Parameters
    ----------
    labels : what each is called; the names of the files where none are given

    Raises
    ------
    SeaIceError
        If a map cannot be read, or nothing can be written.
    """
    ensure_writable(stem.parent)
    fields = _labelled([open_field_isolated(path, day) for path in maps], labels)
    with typeset():
        return save(map_figure(fields, width), stem)


def paper_scatter(
    product: Path,
    reference: Path,
    labels: Sequence[str],
    day: date | None,
    cell: float | None,
    stem: Path,
    width: Width,
) -> list[Path]:
    """A product against a reference, cell by cell; the files written.

    Parameters
    ----------
    labels : what both are called; the names of the files where none are given
    cell : km, side of the cells to compare on; None: the coarser of the two

    Raises
    ------
    SeaIceError
        As `paper_map`, and if they share no sea.
    """
    ensure_writable(stem.parent)
    ours = open_field_isolated(product)
    if day is None and ours.time is not None:
        day = ours.time.astype("datetime64[D]").item()
    ours, theirs = _labelled((ours, open_field_isolated(reference, day)), labels)
    pair = align_fields(ours, theirs, None if cell is None else 1e3 * cell)
    with typeset():
        return save(scatter_figure(*pair, width), stem)


def paper_classes(
    scores: Path, metric: str, cell: float | None, stem: Path, width: Width
) -> list[Path]:
    """A score by class as a figure and a table, and a table of all cells; the files written.

    Parameters
    ----------
    scores : scores.csv of an evaluation
    cell : km; None: the finest there is

    Raises
    ------
    NoInputError
        If the file has no such score.
    OutputError
        If nothing can be written.
    """
    ensure_writable(stem.parent)
    records = read_csv(scores)
    cells = sorted({record.cell_km for record in records})
    side = cells[0] if cell is None and cells else cell
    mine = [record for record in records if _wanted(record, metric, side)]
    if not mine:
        raise NoInputError(
            f"no {metric} by class on cells of {side} km in {scores}",
            f"rmse, mae, bias or std, on cells of {', '.join(f'{each:g}' for each in cells)} km",
            "give --metric and --cell so",
        )
    with typeset():
        paths = save(class_figure(mine, metric, mine[0].cell_km, width), stem)
    tables = {"_classes.tex": class_rows(mine), "_overall.tex": overall_rows(records)}
    for ending, (heads, rows) in tables.items():
        path = stem.with_name(stem.name + ending)
        with atomic_file(path) as part:
            part.write_text(tabular(heads, rows))
        paths.append(path)
    return paths


def _labelled(fields: Sequence[Field], labels: Sequence[str]) -> list[Field]:
    if labels and len(labels) != len(fields):
        raise SettingsError(
            f"{len(labels)} labels for {len(fields)} maps", "one for each map, or none",
            "repeat --label",
        )  # fmt: skip
    names = labels or [field.name for field in fields]
    return [replace(field, name=name) for field, name in zip(fields, names, strict=True)]


def _wanted(record: Record, metric: str, cell: float | None) -> bool:
    by = (record.subset, record.by, record.metric)
    return by == ("all", "reference", metric) and record.cell_km == cell
