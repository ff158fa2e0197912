"""Verbs that tell what there is: models, doctor, why."""

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
    from seaice.workflow.model_table import COLUMNS, models_known

    lines = list(models_known())
    if as_json:
        told = [dict(zip(COLUMNS, line, strict=True)) for line in lines]
        typer.echo(json.dumps(told, indent=1, ensure_ascii=False))
        return
    rows(COLUMNS, lines)


def doctor(
    granules: Annotated[Path | None, typer.Option(help="A folder of granules to look at.")] = None,
    as_json: AS_JSON = False,
) -> None:
    """Tell what is installed, which device is used, and whether weights and granules are usable."""
    from seaice.cli.doctor import examined

    found = examined(granules)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=1))
    else:
        rows(
            ("", "what", "found"),
            [("ok" if one.well else "NO", one.what, one.found) for one in found],
        )
        for one in found:
            if not one.well:
                typer.echo(f"\n{one.what}: to mend it,\n    {one.mend}")
    if not all(one.well for one in found):
        raise typer.Exit(2)


def why(
    product: Annotated[Path, typer.Argument(help="A product's folder, Zarr store or NetCDF.")],
    longitude: Annotated[float, typer.Argument(help="Degrees east; west has a minus.")],
    latitude: Annotated[float, typer.Argument(help="Degrees north.")],
    as_json: AS_JSON = False,
) -> None:
    """Tell why a cell has its value: concentration, doubt, flags in words, what was seen."""
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
