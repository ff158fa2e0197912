"""Folders of products in, all that a page has to know of them out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from defusedxml.ElementTree import parse

from seaice.browse.tiles import ABSENT, KELVIN_FROM, SIDE, TILES, deepest
from seaice.errors import NoInputError
from seaice.product.cell import FLAG_DESCRIPTIONS
from seaice.product.folder import add_suffix, product_folders, product_prefix, read_provenance
from seaice.product.style import (
    LAND,
    LAND_COLOUR,
    NO_DATA_COLOUR,
    PD_RAMP,
    TB_RAMP,
    UNCERTAINTY_RAMP,
    Ramp,
    colour_of,
)

__all__ = ["Shelf", "lines_of", "shelf"]

Table = list[list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The products that a page shows, by a name that holds nothing of a path."""

    folders: dict[str, Path]

    def index(self) -> dict[str, Any]:
        """What the page loads first: every product, and how each layer is coloured."""
        products = [_product(name, folder) for name, folder in self.folders.items()]
        return {
            "side": SIDE,
            "layers": _layers(),
            "meanings": {int(flag): words for flag, words in FLAG_DESCRIPTIONS.items()},
            "products": sorted(products, key=lambda told: (told["place"], told["date"])),
        }


def shelf(places: Sequence[Path]) -> Shelf:
    """All products in some folders that have what a page needs: GeoTIFFs.

    Raises
    ------
    NoInputError
        If there is none.
    """
    folders: dict[str, Path] = {}
    for number, place in enumerate(places):
        for folder in product_folders(place):
            if all(_rasters(folder)):
                folders[folder.name if not number else f"{folder.name}.{number}"] = folder
    if not folders:
        raise NoInputError(
            f"no product with GeoTIFFs in {', '.join(map(str, places))}",
            "folders that `make daily` wrote, with the format geotiff",
            "give the folder that --out named",
        )
    return Shelf(folders=folders)


def lines_of(folder: Path) -> dict[str, Any]:
    """The ice edge and the graticule of a product, on its plane, m; empty without a GeoPackage."""
    package = add_suffix(folder / folder.name, ".gpkg")
    if not package.exists():
        return {"edge": [], "graticule": [], "labels": []}
    _, _, edge, _ = pyogrio.raw.read(package, layer="ice_edge")
    facts, _, net, fields = pyogrio.raw.read(package, layer="graticule")
    labels = fields[list(facts["fields"]).index("label")]
    return {"edge": _points(edge), "graticule": _points(net), "labels": list(labels)}


def _points(lines: Any) -> list[list[list[float]]]:
    return [
        np.round(shapely.get_coordinates(line)).tolist() for line in shapely.from_wkb(list(lines))
    ]


def _rasters(folder: Path) -> list[bool]:
    stem = folder / folder.name
    return [add_suffix(stem, ending).exists() for endings in TILES.values() for ending in endings]


def _product(name: str, folder: Path) -> dict[str, Any]:
    document = read_provenance(folder)
    grid = document["grid"]
    networks = document.get("networks", {})
    methods = [networks.get(stage, {}).get("name", "?") for stage in ("sr", "sic")]
    return {
        "name": name,
        "place": product_prefix(document["hemisphere"], document.get("region", "all")),
        "date": document["date"],
        "status": document["status"],
        "methods": " + ".join(methods),
        "warnings": document.get("warnings", []),
        "bounds": grid["bounds_m"],
        "cell": grid["cell_m"],
        "shape": grid["shape"],
        "crs": grid["crs"],
        "levels": deepest(tuple(grid["shape"])),
        "flags": _flags(add_suffix(folder / folder.name, "_flags.qml")),
    }


def _flags(style: Path) -> list[list[Any]]:
    """Value, colour and words of each combination of flags, from the style beside the raster."""
    entries = parse(style).getroot().iter("paletteEntry")
    return [[int(each.get("value")), each.get("color"), each.get("label")] for each in entries]


def _layers() -> dict[str, dict[str, Any]]:
    """How each layer is read from tiles and coloured: 256 colours by the byte of its band."""
    percent = [list(colour_of(value)) for value in range(101)]
    uncertainty = [(100 * value, colour) for value, colour in UNCERTAINTY_RAMP]
    kelvin = [(value - KELVIN_FROM, colour) for value, colour in TB_RAMP]
    difference = [(2 * value, colour) for value, colour in PD_RAMP]
    told: tuple[tuple[Any, ...], ...] = (
        ("concentration", "sic", 0, _filled(percent), "%", 1.0, 0.0),
        ("uncertainty (one standard deviation)", "sic", 1, _ramp(uncertainty), "%", 1.0, 0.0),
        ("concentration before filters", "sic", 2, _filled(percent), "%", 1.0, 0.0),
        ("flags", "flags", 0, [], "", 1.0, 0.0),
        ("polarization difference V - H", "tb", 2, _ramp(difference), "K", 0.5, 0.0),
        ("89 GHz V", "tb", 1, _ramp(kelvin), "K", 1.0, KELVIN_FROM),
        ("89 GHz H", "tb", 0, _ramp(kelvin), "K", 1.0, KELVIN_FROM),
    )
    names = ("tile", "band", "table", "unit", "step", "start")
    return {title: dict(zip(names, rest, strict=True)) for title, *rest in told}


def _filled(percent: Table) -> Table:
    """The table of concentration: what lies between 100 % and land does not occur."""
    table = [*percent, *([percent[-1]] * (256 - len(percent)))]
    table[LAND], table[ABSENT] = list(LAND_COLOUR), list(NO_DATA_COLOUR)
    return table


def _ramp(ramp: Ramp | list[tuple[float, tuple[int, int, int]]]) -> Table:
    values, colours = zip(*ramp, strict=True)
    steps = np.arange(256)
    bands = [np.rint(np.interp(steps, values, band)) for band in np.transpose(colours)]
    table: Table = np.stack(bands, axis=-1).astype(int).tolist()
    table[ABSENT] = list(NO_DATA_COLOUR)
    return table
