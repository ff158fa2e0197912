"""Listings and explanations: models, doctor, why."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from seaice.cli.show import rows

__all__ = ["doctor", "models", "why"]

AS_JSON = Annotated[bool, typer.Option("--json", help="For programs.")]


def models(as_json: AS_JSON = False) -> None:
    """List networks and formulas, and which have weights."""
    from seaice.workflow.model_table import COLUMNS, list_model_rows

    lines = list(list_model_rows())
    if as_json:
        told = [dict(zip(COLUMNS, line, strict=True)) for line in lines]
        typer.echo(json.dumps(told, indent=1, ensure_ascii=False))
        return
    rows(COLUMNS, lines)


def doctor(
    granules: Annotated[Path | None, typer.Option(help="Folder of granules to check.")] = None,
    as_json: AS_JSON = False,
) -> None:
    """Check the software, the device, the weights and, with --granules, the input files."""
    from seaice.cli.doctor import run_checks

    result = run_checks(granules)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in result], indent=1))
    else:
        rows(
            ("", "what", "found"),
            [("ok" if one.well else "NO", one.what, one.found) for one in result],
        )
        for one in result:
            if not one.well:
                typer.echo(f"\n{one.what}: to repair it,\n    {one.mend}")
    if not all(one.well for one in result):
        raise typer.Exit(2)


def why(
    product: Annotated[Path, typer.Argument(help="A product's folder, Zarr store or NetCDF.")],
    longitude: Annotated[float, typer.Argument(help="Degrees east; west has a minus.")],
    latitude: Annotated[float, typer.Argument(help="Degrees north.")],
    as_json: AS_JSON = False,
) -> None:
    """Explain the value of a cell: concentration, uncertainty, flags, observations."""
    from seaice.product.cell import cell_at, cell_from_store, select_single_day
    from seaice.product.folder import add_suffix

    store = add_suffix(product / product.resolve().name, ".zarr")
    if store.is_dir():
        cell = cell_from_store(store, longitude, latitude)
    else:
        from seaice.product.reader import open_product

        cell = cell_at(select_single_day(open_product(product), "seaice why"), longitude, latitude)
    if as_json:
        values = {name: None if value != value else value for name, value in cell.values.items()}
        told = asdict(cell) | {"values": values, "flags": int(cell.flags), "reasons": cell.reasons}
        typer.echo(json.dumps(told, indent=1))
        return
    typer.echo(cell)
