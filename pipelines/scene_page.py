"""One real scene by several methods, side by side: the picture of docs/scene.md.

    python -m pipelines.scene_page SCENE.nc

ASI is shown without and with its weather filters beside the networks and what they doubt, and
beside what 18.7 GHz alone sees of ice when the land in its footprint is taken away.
"""

import argparse
import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from seaice.config import Settings
from seaice.errors import SeaIceError
from seaice.files import atomic_file
from seaice.grid.blocks import SCALE, repeat_to_fine_grid
from seaice.grid.gridding import grid_day
from seaice.grid.masks import land_fractions, land_mask
from seaice.grid.registration import apply_displacement, estimate_displacement
from seaice.instrument import CHANNELS
from seaice.io.scene import read_scene
from seaice.product.style import NO_DATA_COLOUR, colour_of
from seaice.retrieval.classical.algorithms import asi
from seaice.simulate.emission import Kind, ice_table
from seaice.workflow.scene import ground_of, run_scene

__all__ = ["drawn", "maps_of", "without_land"]

PICTURE = Path("docs/pictures/scene.png")
KM = 1.5625
SEA_AROUND = 8.0  #: cells of 6.25 km: how far open water's brightness is averaged
Map = NDArray[np.floating]


def maps_of(scene: Path, out: Path) -> tuple[Mapping[str, Map], Map]:
    """Concentration of a scene by each method, and one standard deviation of the networks'.

    The last but one is `without_land`, by the scene's daily map.

    Parameters
    ----------
    scene : as `seaice.workflow.scene.run_scene` takes it
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
        "18.7 GHz, land taken away": _by_hand(scene, networks),
        "networks": networks["sic"].values,
    }
    return named, networks["sic_uncertainty"].values


def without_land(daily_map: xr.Dataset, land: NDArray[np.bool_], channel: str = "tb18h") -> Map:
    """Concentration under each footprint of one broad channel, by hand: no network, no other one.

    Brightness is the sum of land, ice and open water by their shares. Land is as bright as where it
    fills the footprint, ice as melting ice, water as the sea around where no land is near.

    Parameters
    ----------
    daily_map : with `channel`, K
    land : (4y, 4x) bool

    Returns
    -------
    (y, x), 0-1 where the estimate is perfect; NaN where the channel is, or land fills half of it
    """
    band = channel[2:-1]
    tb, fraction = daily_map[channel].values, land_fractions(land)[f"land_{band}"]
    sea = np.isfinite(tb) & (fraction < 0.002)
    nearby = gaussian_filter(sea.astype(float), SEA_AROUND)
    water = gaussian_filter(np.where(sea, tb, 0.0), SEA_AROUND) / np.maximum(nearby, 1e-6)
    seen = np.where(np.isfinite(tb), fraction, 0.0)
    solid = np.median(tb[seen > 0.9 * seen.max()])
    kinds: tuple[Kind, ...] = ("wet snow", "bare ice")
    ice = np.mean([ice_table(kind).mean[CHANNELS.index(channel)] for kind in kinds])
    covered = (tb - water - fraction * (solid - water)) / (ice - water)
    return np.where((fraction < 0.5) & (nearby > 1e-3), covered / (1 - fraction), np.nan)


def _by_hand(scene: Path, product: xr.Dataset) -> Map:
    """`without_land` on the refined cells of a product, where it has a concentration."""
    swath = read_scene(scene)
    day: date = swath["time"].values[0].astype("datetime64[D]").item()
    grid = ground_of(swath)[1]
    land = land_mask(grid.refine(SCALE))
    placed = apply_displacement(swath, estimate_displacement(swath, grid, land), grid.crs)
    seen = without_land(grid_day([placed], grid, day), land)
    return np.where(np.isfinite(product["sic"]), repeat_to_fine_grid(seen.clip(0, 1)), np.nan)


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
    shown = _panel(axes[-1], 100 * doubt[rows, columns], "half-width for 68 %", ("viridis", 40))
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
