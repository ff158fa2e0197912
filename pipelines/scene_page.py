"""One real scene by several methods, side by side: the picture of docs/scene.md.

    python -m pipelines.scene_page SCENE.nc

ASI is shown without and with its weather filters beside the networks and what they doubt.
"""

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from pipelines.scene import run_scene
from seaice.config import Settings
from seaice.errors import SeaIceError
from seaice.files import atomic_file
from seaice.sic.classical.asi import asi
from seaice.write.style import NO_DATA_COLOUR, colour_of

__all__ = ["drawn", "maps_of"]

PICTURE = Path("docs/pictures/scene.png")
KM = 1.5625
Map = NDArray[np.floating]


def maps_of(scene: Path, out: Path) -> tuple[Mapping[str, Map], Map]:
    """Concentration of a scene by each method, and one standard deviation of the networks'.

    Parameters
    ----------
    scene : as `pipelines.scene.run_scene` takes it
    out : for the products

    Raises
    ------
    SeaIceError
        If the file is no scene.
    """
    classical = _product(scene, out / "classical", "bicubic", "asi")
    networks = _product(scene, out / "networks", None, None)
    unfiltered = np.where(np.isnan(classical["sic"]), np.nan, asi(classical["pd"].values))
    named = {
        "ASI, no filter": unfiltered,
        "ASI, weather-filtered": classical["sic"].values,
        "networks": networks["sic"].values,
    }
    return named, networks["sic_uncertainty"].values


def _product(scene: Path, out: Path, sr: str | None, sic: str | None) -> xr.Dataset:
    told: dict[str, dict[str, Any]] = {
        "run": {"out": out},
        "sr": {"name": sr},
        "sic": {"name": sic},
    }
    folder, _ = run_scene(scene, Settings.read(None, told), lambda stage, done, of: None)
    store = next(folder.glob("*.zarr"))
    product: xr.Dataset = xr.open_zarr(store).squeeze(drop=True).load()
    return product


def drawn(maps: Mapping[str, Map], doubt: Map) -> Figure:
    """The maps in a row, and the standard deviation of the last.

    Parameters
    ----------
    maps : by method, (y, x) 0-1, NaN on land and where nothing is known
    doubt : (y, x) 0-1
    """
    figure = Figure(figsize=(3.6 * (len(maps) + 1), 4.6))
    figure.set_layout_engine("constrained")
    axes = list(figure.subplots(1, len(maps) + 1, sharex=True, sharey=True))
    seen = np.isfinite(next(iter(maps.values())))
    rows, columns = (slice(*np.flatnonzero(seen.any(axis=side))[[0, -1]]) for side in (1, 0))
    ramp = ListedColormap([np.array(colour_of(p)) / 255 for p in range(101)])
    for ax, (name, sic) in zip(axes, maps.items(), strict=False):
        shown = _panel(ax, 100 * sic[rows, columns], name, (ramp, 100))
    figure.colorbar(shown, ax=axes[:-1], location="bottom", shrink=0.5, label="concentration, %")
    shown = _panel(axes[-1], 100 * doubt[rows, columns], "one standard deviation", ("viridis", 40))
    figure.colorbar(shown, ax=axes[-1], location="bottom", shrink=0.8, label="%")
    return figure


def _panel(ax: Axes, percent: Map, name: str, ramp: tuple[ListedColormap | str, int]) -> AxesImage:
    red, green, blue = (part / 255 for part in NO_DATA_COLOUR)
    ax.set_facecolor((red, green, blue))
    ax.set_title(name)
    extent = (0, percent.shape[1] * KM, percent.shape[0] * KM, 0)
    ax.set_xlabel("km")
    return ax.imshow(percent, cmap=ramp[0], vmin=0, vmax=ramp[1], extent=extent)


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scene", type=Path, help="AMSR2 channels on an image grid, NetCDF")
    parser.add_argument("--picture", type=Path, default=PICTURE)
    told = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            figure = drawn(*maps_of(told.scene, Path(folder)))
        with atomic_file(told.picture) as part:
            figure.savefig(part, format="png", dpi=110, bbox_inches="tight")
    except SeaIceError as error:
        raise SystemExit(str(error)) from error
    print(told.picture)


if __name__ == "__main__":
    main()
